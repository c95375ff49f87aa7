"""What the answer to one face depends on."""

import numpy as np

from model.heat import heat_map


class SeesOnePlace:
    """A predictor that answers by how strongly one place of the face is structured."""

    def logits(self, faces):
        place = faces[:, 60:80, 20:40].astype(float)
        return place.std(axis=(1, 2, 3)) - 20


def test_heat_is_where_the_answer_comes_from_and_has_its_sign():
    face = np.random.default_rng(0).integers(0, 255, (109, 89, 3), dtype=np.uint8)
    heat = heat_map(SeesOnePlace(), face)
    assert heat.shape == (109, 89) and heat.dtype == np.float32
    inside, outside = heat[60:80, 20:40].mean(), np.delete(heat, np.s_[50:90], axis=0)
    assert inside > 0 and inside > 5 * np.abs(outside).mean()
    turned = type("Turned", (SeesOnePlace,), {"logits": lambda self, faces: -SeesOnePlace.logits(self, faces)})()
    assert np.allclose(heat_map(turned, face), -heat, atol=1e-4)
