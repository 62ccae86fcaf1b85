#!/usr/bin/env python3
"""Run compatibility scenarios against a router binary.

    python3 run.py --router BIN [--only REGEX] [--claimed FILE] [--jobs N] [--json OUT] [--record] [--list] [-v]
"""
import argparse
import concurrent.futures
import glob
import json
import os
import re
import shutil
import sys
import tempfile
import threading
import time
import traceback

import yaml

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from outcome import diff, dump, matches          # noqa: E402
from scenario import play, play_start            # noqa: E402
from world import Certs, Router                  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
CHUNK = 30    # scenarios with one configuration share a process, at most so many


def load(only):
    out, ids = [], set()
    for path in sorted(glob.glob(os.path.join(HERE, "scenarios", "*.yaml"))):
        theme = os.path.basename(path)[:-5]
        with open(path) as file:
            for item in yaml.safe_load(file) or []:
                if item["id"] in ids:
                    sys.exit(f"{path}: the id {item['id']} is used twice")
                ids.add(item["id"])
                item.update(theme=theme, path=path)
                if not only or re.search(only, f"{theme}/{item['id']}"):
                    out.append(item)
    return out


def claimed(scenarios, path):
    """The scenarios of the themes that a file names, without those that stand behind `not`."""
    themes, left_out = set(), set()
    with open(path) as file:
        for line in file:
            words = line.split("#")[0].split()
            if words:
                themes.add(words[0])
                left_out.update(f"{words[0]}/{name}" for name in words[2:])
                if len(words) > 1 and words[1] != "not":
                    sys.exit(f"{path}: {line.strip()}: expected THEME or THEME not SCENARIO...")
    known = {f"{item['theme']}/{item['id']}" for item in scenarios}
    unknown = sorted(left_out - known) + sorted(themes - {item["theme"] for item in scenarios})
    if unknown:
        sys.exit(f"{path}: there is no {', '.join(unknown)}")
    return [item for item in scenarios if item["theme"] in themes and f"{item['theme']}/{item['id']}" not in left_out]


def groups(scenarios):
    shared, alone = {}, []
    for item in scenarios:
        if item.get("start") == "fails" or item.get("own_process"):
            alone.append([item])
        else:
            shared.setdefault(json.dumps(item.get("config") or {}, sort_keys=True), []).append(item)
    parts = [group[at:at + CHUNK] for group in shared.values() for at in range(0, len(group), CHUNK)]
    return sorted(parts, key=len, reverse=True) + alone


def run_group(group, number, options, certs, work, report):
    folder = os.path.join(work, f"g{number}")
    os.makedirs(folder)
    if group[0].get("start") == "fails":
        return report(group[0], attempt(lambda: play_start(group[0], options.router, folder, certs)))
    router, failure = None, None
    for _ in range(2):    # once more with other ports, should another program have taken one
        router = Router(options.router, group[0].get("config"), folder, certs)
        try:
            router.start()
            failure = None
            break
        except Exception as error:
            failure = {"trouble": f"start: {error}"}
            router.stop()
    try:
        for item in group:
            report(item, failure or attempt(lambda: play(item, router, options.record)))
            if failure is None and router.process.poll() is not None and item is not group[-1]:
                router.stop()
                router = Router(options.router, group[0].get("config"), folder, certs)
                router.start()
    finally:
        router.stop()
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)


def attempt(act):
    try:
        return act()
    except Exception as error:
        if os.environ.get("COMPAT_TRACE"):
            traceback.print_exc()
        return {"trouble": f"{type(error).__name__}: {error}"}


def write_recording(path, outcomes):
    """Put new `expect` blocks into a scenario file; all that is written by hand stays as it is."""
    with open(path) as file:
        blocks = re.split(r"(?m)^(?=- id: )", file.read())
    for at, block in enumerate(blocks):
        found = re.match(r"- id: (\S+)", block)
        if not found or found[1] not in outcomes:
            continue
        block = re.split(r"(?m)^  expect:", block)[0].rstrip("\n")
        text = dump(outcomes[found[1]]).rstrip("\n")
        blocks[at] = block + "\n  expect:\n" + "".join(f"    {l}\n" if l else "\n" for l in text.split("\n")) + "\n"
    with open(path, "w") as file:
        file.write("".join(blocks).rstrip("\n") + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--router", help="the binary under test; it is started as BIN -c FILE")
    parser.add_argument("--only", metavar="REGEX", help="scenarios whose theme/id matches")
    parser.add_argument("--claimed", metavar="FILE", help="scenarios of the themes in this file, such as themes.txt")
    parser.add_argument("--covers", metavar="R-NNN", help="scenarios that cover this line of the specification")
    parser.add_argument("--jobs", type=int, default=2, help="router processes side by side (2)")
    parser.add_argument("--json", metavar="OUT", help="write the results as JSON")
    parser.add_argument("--record", action="store_true", help="write what this router does into the scenario files")
    parser.add_argument("--new", action="store_true", help="only scenarios without a recording")
    parser.add_argument("--list", action="store_true", help="list scenarios and the lines that they cover")
    parser.add_argument("--keep", action="store_true", help="keep the working folder (logs, configurations)")
    parser.add_argument("-v", "--verbose", action="store_true", help="name the scenarios that pass as well")
    options = parser.parse_args()
    scenarios = load(options.only)
    if options.claimed:
        scenarios = claimed(scenarios, options.claimed)
    if options.covers:
        scenarios = [s for s in scenarios if options.covers in s.get("covers", [])]
    if options.new:
        scenarios = [s for s in scenarios if "expect" not in s]
    if options.list:
        for item in scenarios:
            print(f"{item['theme']}/{item['id']}: {item['title']} [{', '.join(item.get('covers', []))}]")
        return 0
    if not options.router:
        parser.error("--router is required")
    options.router = os.path.abspath(options.router)
    work = tempfile.mkdtemp(prefix="compat-")
    results, lock, began = {}, threading.Lock(), time.monotonic()

    def report(item, got):
        name = f"{item['theme']}/{item['id']}"
        if "trouble" in got:
            passed, which = False, None
        elif options.record:
            passed, which = True, "recorded"
        else:
            passed, which = matches(item, got)
        with lock:
            results[item["id"]] = {"name": name, "passed": passed, "by": which, "got": got,
                                   "covers": item.get("covers", [])}
            if passed and options.verbose:
                print(f"ok   {name}" + ("" if which in ("expect", "recorded") else f" ({which})"), flush=True)
            if not passed:
                print(f"FAIL {name}: {item['title']}", flush=True)
                if "trouble" in got:
                    print(f"     {got['trouble']}")
                else:
                    for line in diff(item.get("expect"), got):
                        print(f"     {line}")

    try:
        certs = Certs(os.path.join(work, "certs"))
        with concurrent.futures.ThreadPoolExecutor(max(1, options.jobs)) as pool:
            jobs = [pool.submit(run_group, group, number, options, certs, work, report)
                    for number, group in enumerate(groups(scenarios))]
            for job in jobs:
                job.result()
    finally:
        if options.keep:
            print(f"kept {work}")
        else:
            shutil.rmtree(work, ignore_errors=True)
    if options.record:
        for path in {s["path"] for s in scenarios}:
            write_recording(path, {s["id"]: results[s["id"]]["got"] for s in scenarios
                                   if s["path"] == path and results[s["id"]]["passed"]})
    failed = [r for r in results.values() if not r["passed"]]
    if options.json:
        with open(options.json, "w") as out:
            json.dump({"passed": len(results) - len(failed), "failed": len(failed),
                       "scenarios": sorted(results.values(), key=lambda r: r["name"])}, out, indent=1)
    verb = "recorded" if options.record else "passed"
    print(f"{len(results) - len(failed)} {verb}, {len(failed)} failed in {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
