"""The model card names every setting of a training."""

from dataclasses import asdict

from analysis import figures


def test_every_setting_has_a_name_for_the_model_card() -> None:
    from model.training import Training

    options = asdict(Training())
    nested = ("architecture", "augmentation")
    keys = {key for key in options if key not in nested} | {f"{key}.{name}" for key in nested for name in options[key]}
    assert keys | {"datasets"} == set(figures.training.SETTINGS)
