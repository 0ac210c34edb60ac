"""What it costs to learn from what a target sends: the probe shares its time with the journey."""

import json
import time

from synthprobe.evidence.redaction import Redactor


def seconds_to_learn(redactor: Redactor, content: str, kind: str) -> float:
    begun = time.process_time()
    redactor.learn_from_body(content.encode(), kind, "https://shop.example/static/index.js")
    return time.process_time() - begun


def test_a_rule_of_dashes_under_a_telling_name_costs_no_time():
    rules = {"key": "-" * 27 + "1", "code": "/" * 27 + "=", "state": "ab-" + "_" * 27 + "2"}
    redactor = Redactor()
    assert seconds_to_learn(redactor, json.dumps(rules), "application/json") < 1
    assert redactor.text("8f14e45fceea167a5a36") == "8f14e45fceea167a5a36"


def test_the_scripts_of_an_application_are_read_once_and_what_they_gave_out_stays_known():
    script = "".join(f'var a{n}={{b:"{n}",c:"word"}};if(a{n}&&a{n}.b){{d(a{n})}}\n' for n in range(8_000))
    script += 'var settings={access_token:"Zk3v9QpLx8TnR2wYb7Hc"};'
    redactor = Redactor()
    first = seconds_to_learn(redactor, script, "application/javascript")
    assert seconds_to_learn(redactor, script, "application/javascript") < first / 5
    assert redactor.text("sent Zk3v9QpLx8TnR2wYb7Hc") == "sent [masked]"
    seconds_to_learn(redactor, script.replace("Zk3v9QpLx8TnR2wYb7Hc", "Qw7Lr5Vt1Zx9Pn3Kd6Ms"), "application/javascript")
    assert redactor.text("sent Qw7Lr5Vt1Zx9Pn3Kd6Ms") == "sent [masked]"
