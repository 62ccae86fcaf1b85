"""The scenarios. Each has `run(bench, samples)`, which fills `samples` as it goes, and `report(bench, samples)`,
which turns whatever is there into lines to print and a summary to keep."""
from . import changes, h1, h2, hands, hosts, idle, idletls, large, lat, routes, tls, uploads

ALL = {"h1": h1, "hosts": hosts, "lat": lat, "idle": idle, "routes": routes, "tls": tls, "hands": hands, "large": large,
       "idletls": idletls, "h2": h2, "uploads": uploads, "changes": changes}
