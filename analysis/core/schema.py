"""What columns and values are called, and the rule on how many faces an average needs: each stands here, once."""

LABELS = ("female", "male")
"""As perceived; a score of 1 means the second."""

MEANING = (
    "Perceived gender: what whoever labelled the model’s data sets, be it people, a program or a profile, would say of "
    "a face in a photo; not who somebody is."
)
"""What a predicted label means, whatever the run was trained on; `analysis.figures.datasheets` has each data set's."""

SPLITS = ("train", "validation", "test")
"""By code of CelebA's list_eval_partition."""

RACES = ("White", "Black", "Asian", "Indian", "Other")
"""By UTKFace's code, as its annotators judged."""

AGE_BANDS = {"0-9": (0, 10), "10-19": (10, 20), "20-39": (20, 40), "40-59": (40, 60), "60+": (60, 200)}
"""From the first age, in years, up to, not including, the second."""

MIN_FACES = 16
"""Fewest faces in an average that is published: one of fewer could show a person."""

LARGE_GROUP = 50
"""Fewest images of a group that is named as the best or the worst: of fewer, chance decides."""

CELEBA_ATTRIBUTES: tuple[str, ...] = (
    "5_o_Clock_Shadow",
    "Arched_Eyebrows",
    "Attractive",
    "Bags_Under_Eyes",
    "Bald",
    "Bangs",
    "Big_Lips",
    "Big_Nose",
    "Black_Hair",
    "Blond_Hair",
    "Blurry",
    "Brown_Hair",
    "Bushy_Eyebrows",
    "Chubby",
    "Double_Chin",
    "Eyeglasses",
    "Goatee",
    "Gray_Hair",
    "Heavy_Makeup",
    "High_Cheekbones",
    "Mouth_Slightly_Open",
    "Mustache",
    "Narrow_Eyes",
    "No_Beard",
    "Oval_Face",
    "Pale_Skin",
    "Pointy_Nose",
    "Receding_Hairline",
    "Rosy_Cheeks",
    "Sideburns",
    "Smiling",
    "Straight_Hair",
    "Wavy_Hair",
    "Wearing_Earrings",
    "Wearing_Hat",
    "Wearing_Lipstick",
    "Wearing_Necklace",
    "Wearing_Necktie",
    "Young",
)
"""CelebA's own names and order; its fortieth attribute, Male, is the label."""
