"""One tree of settings; secrets never show."""

import pytest

from city.errors import Invalid
from city.settings import Secret, Settings, load, table


def test_variables_win_over_the_file_and_the_file_over_defaults(tmp_path):
    file = tmp_path / "stadtfunk.toml"
    file.write_text('[mqtt]\nurl = "mqtt://file"\nkeepalive_s = 20\n', encoding="utf-8")
    settings = load(file, {"STADTFUNK_MQTT_URL": "mqtt://env", "OTHER": "x"})
    assert (settings.mqtt.url, settings.mqtt.keepalive_s, settings.mqtt.receive_maximum) == ("mqtt://env", 20, 1000)


@pytest.mark.parametrize(("environ", "name"), [
    ({"STADTFUNK_MQTT_URI": "x"}, "mqtt.uri"), ({"STADTFUNK_MQT_URL": "x"}, "mqt"),
    ({"STADTFUNK_API_PORT": "99999"}, "api.port”.*65535"), ({"STADTFUNK_BRIDGE_TICK_S": "nan"}, "bridge.tick_s"),
    ({"STADTFUNK_API_PORT": "eighty"}, "api.port"), ({"STADTFUNK_API_SECURE_COOKIES": "perhaps"}, "api.secure_cookies")])
def test_a_wrong_setting_is_named(environ, name):
    with pytest.raises(Invalid, match=name):
        load(environ=environ)


def test_secrets_do_not_show_in_reprs_or_logs():
    settings = load(environ={"STADTFUNK_INFLUX_TOKEN": "s3cr3t", "STADTFUNK_DATABASE_URL": "postgresql://u:s3cr3t@h/d"})
    assert "s3cr3t" not in repr(settings) + str(settings.influx.token) + f"{settings.database.url}"
    assert settings.influx.token.reveal() == "s3cr3t"


def test_a_secret_that_is_wrong_does_not_show_in_the_error(tmp_path):
    file = tmp_path / "s.toml"
    file.write_text("[influx]\ntoken = 12345678\n", encoding="utf-8")
    with pytest.raises(Invalid) as caught:
        load(file, {})
    assert "12345678" not in str(caught.value)


def test_every_setting_has_its_variable_and_its_help():
    rows = table()
    assert ("mqtt.url", "STADTFUNK_MQTT_URL", "mqtt://127.0.0.1:1883") in [row[:3] for row in rows]
    assert all(help_text for *_, help_text in rows)
    for _, variable, default, _ in rows:
        assert load(environ={variable: default}) == Settings()


def test_an_unset_secret_says_so():
    assert (repr(Secret()), repr(Secret("x"))) == ("''", "'redacted'")
