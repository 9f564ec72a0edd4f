"""Days of the local log: counted from 1970, in UTC."""

from city.readings import NS

DAY_NS = 86_400 * NS
