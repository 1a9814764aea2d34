"""Forecasts the long stages, and ends a run before them where they would take too long."""

from flows.prepare import PreparedData
from flows.settings import Settings, SettingsError
from flows.stages import FORECAST, Stages
from tasks.forecast.config import Plan, Served
from tasks.forecast.stages import too_long
from tasks.forecast.task import forecast_stages
from tasks.metrics_location import metrics_path
from tasks.store.artifacts import Base
from tasks.store.store import Store


def forecast(
    settings: Settings, store: Store, stages: Stages, data: PreparedData, base: Base
) -> None:
    """Try the base on this machine. Raises SettingsError where a run is above `max_hours`."""
    if not settings.forecast.seconds:
        stages.skip(FORECAST)
        return
    made = stages(FORECAST, forecast_stages)(
        base, data.prompts, data.split,
        lora=settings.train.lora, objective=settings.train.objective, fit=settings.train.fit,
        inference=settings.inference, config=settings.forecast,
        plan=Plan(
            settings.retrieve.candidates,
            settings.decode.list_length,
            opponents=int(metrics_path(store).exists()),
        ),
        served=Served(settings.serving.nightly, settings.serving.active_days),
        store=store,
    )  # fmt: skip
    if sentence := too_long(made, settings.max_hours):
        raise SettingsError(sentence)
