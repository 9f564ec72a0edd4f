"""What Grafana would show, drawn without Grafana: an approximation for reviewers, CI and demos, and said to be one.

It is drawn from the rendered JSON and not from our Board and Panel objects: what is wrong in the JSON (a unit, a threshold, an
override that matches nothing) shows here as it would in Grafana. How answers become frames, fields get their names and numbers
their units follows Grafana's source; each module says which.
"""
