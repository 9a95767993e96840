"""What documents say, read by the standard library alone and written without a look at the readers (facts A6, C2)."""

import json
import xml.etree.ElementTree as ET
from collections import defaultdict
from datetime import UTC, datetime, timedelta

MINUTES = {"PT5M": 5, "PT15M": 15, "PT30M": 30, "PT60M": 60}
Values = dict[object, dict[tuple[datetime, int, float], int]]


def entsoe_says(text: str) -> Values:
    """Values by what sets a TimeSeries apart; A03 repeats the value before up to the end of its Period."""
    root = ET.fromstring(text.encode())
    space = root.tag.partition("}")[0] + "}"
    found: Values = defaultdict(dict)
    for series in root.iter(f"{space}TimeSeries"):
        own = {part.tag.removeprefix(space): part.text for part in series if not len(part)}
        own.pop("mRID", None)
        curve = own.pop("curveType", "A01")
        sequence = "classificationSequence_AttributeInstanceComponent.position"
        if own.get(sequence) == "1":
            del own[sequence]
        key = tuple(sorted(own.items()))
        for period in series.findall(f"{space}Period"):
            start, end = (
                datetime.strptime(period.findtext(f"{space}timeInterval/{space}{name}"), "%Y-%m-%dT%H:%MZ").replace(
                    tzinfo=UTC
                )
                for name in ("start", "end")
            )
            minutes = MINUTES[period.findtext(f"{space}resolution")]
            stated = {}
            for point in period.findall(f"{space}Point"):
                price = next(part.text for part in point if part.tag.endswith(".amount"))
                stated[int(point.findtext(f"{space}position"))] = float(price)
            value = None
            for at in range(1, (end - start) // timedelta(minutes=minutes) + 1):
                value = stated.get(at, value if curve == "A03" else None)
                if value is not None:
                    found[key][start + (at - 1) * timedelta(minutes=minutes), minutes, value] = at
    return found


def energy_charts_says(text: str) -> Values:
    """Two arrays side by side."""
    answer = json.loads(text)
    pairs = zip(answer["unix_seconds"], answer["price"], strict=True)
    values = {(datetime.fromtimestamp(at, UTC), 0, float(price)): at for at, price in pairs if price is not None}
    return {"": values}
