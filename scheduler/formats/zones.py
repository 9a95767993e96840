"""Names of zones and areas by their EIC (facts A5), as files of prices and reserve results name them."""

from __future__ import annotations

ZONES = {
    "10Y1001A1001A82H": "DE-LU",
    "10YAT-APG------L": "AT",
    "10YFR-RTE------C": "FR",
    "10YNL----------L": "NL",
    "10YBE----------2": "BE",
    "10YCH-SWISSGRIDZ": "CH",
    "10YES-REE------0": "ES",
    "10YPT-REN------W": "PT",
    "10YPL-AREA-----S": "PL",
    "10YCZ-CEPS-----N": "CZ",
    "10YSK-SEPS-----K": "SK",
    "10YSI-ELES-----O": "SI",
    "10YHR-HEP------M": "HR",
    "10YHU-MAVIR----U": "HU",
    "10YRO-TEL------P": "RO",
    "10YCA-BULGARIA-R": "BG",
    "10YGR-HTSO-----Y": "GR",
    "10YFI-1--------U": "FI",
    "10Y1001A1001A39I": "EE",
    "10YLV-1001A00074": "LV",
    "10YLT-1001A0008Q": "LT",
    "10Y1001A1001A44P": "SE1",
    "10Y1001A1001A45N": "SE2",
    "10Y1001A1001A46L": "SE3",
    "10Y1001A1001A47J": "SE4",
    "10YNO-1--------2": "NO1",
    "10YNO-2--------T": "NO2",
    "10YNO-3--------J": "NO3",
    "10YNO-4--------9": "NO4",
    "10Y1001A1001A48H": "NO5",
    "10YDK-1--------W": "DK1",
    "10YDK-2--------M": "DK2",
    "10Y1001A1001A73I": "IT-North",
    "10YGB----------A": "GB",
    # control areas of Germany: documents on balancing name these
    "10YDE-VE-------2": "DE-50Hertz",
    "10YDE-RWENET---I": "DE-Amprion",
    "10YDE-EON------1": "DE-TenneT",
    "10YDE-ENBW-----N": "DE-TransnetBW",
}
"""Name by EIC. A test holds the check character of every code."""


def zone_name(eic: str) -> str:
    """The name of a zone; the EIC itself where it has none here."""
    return ZONES.get(eic, eic)
