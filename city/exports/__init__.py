"""What others are given of a town's light in their own words: FIWARE (NGSI-LD), TALQ-style JSON, tables for a spreadsheet.

Pure functions: who gives them a town (api.exporting) has looked everything up. All three show the three states of a lamp
(target, in effect, actual), each with its time.
"""
