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


@pytest.mark.parametrize(("environ", "words"), [
    ({"STADTFUNK_PARKING_LEAST_BAYS": "2"}, "parking.least_bays.*3"),
    ({"STADTFUNK_PARKING_HISTORY_MINUTES": "5"}, "parking.history_minutes.*15"),
    ({"STADTFUNK_PARKING_HISTORY_MINUTES": "20"}, "multiple of 15"),
    ({"STADTFUNK_PARKING_RANGE_PERCENT": "95"}, "parking.range_percent.*parking.number_percent"),
    ({"STADTFUNK_PARKING_STALE_BEATS": "2.5"}, "parking.stale_beats.*parking.gone_beats"),
    ({"STADTFUNK_PARKING_GREY_MINUTES": "40"}, "parking.grey_minutes.*parking.hide_minutes"),
    ({"STADTFUNK_PARKING_PUBLISH_S": "600"}, "parking.publish_s.*parking.grey_minutes"),
    ({"STADTFUNK_PARKING_RAW_DAYS": "5"}, "parking.suspect_days.*parking.raw_days"),
    ({"STADTFUNK_PARKING_FORECAST_LEAST_WEEKS": "7"}, "parking.forecast_least_weeks.*parking.forecast_weeks")])
def test_numbers_of_parking_that_contradict_the_law_or_one_another_are_refused_by_name(environ, words):
    with pytest.raises(Invalid, match=words):
        load(environ=environ)


def test_quarters_that_are_kept_for_ever_suffice_for_any_forecast():
    assert load(environ={"STADTFUNK_PARKING_QUARTER_DAYS": "0"}).parking.quarter_days == 0
