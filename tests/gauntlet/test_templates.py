"""Templates: one for every layout that the reader knows, each with one place for the class."""

import pytest

from gauntlet.errors import ArgumentError
from gauntlet.readers.few_shot_sets import LAYOUTS
from gauntlet.readers.few_shot_targets import IMAGENET_TARGETS
from gauntlet.templates import GENERAL, TEMPLATES, prompts, templates_of


@pytest.mark.parametrize("name", [*LAYOUTS, *IMAGENET_TARGETS])
def test_every_known_set_has_templates(name):
    assert name in TEMPLATES


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates_have_one_place(name):
    assert all(text.count("{}") == 1 and text.endswith(".") for text in TEMPLATES[name])
    assert len(set(TEMPLATES[name])) == len(TEMPLATES[name])


def test_the_papers_own_words():
    assert prompts(["tabby_cat"], templates_of("oxford_pets")) == [["a photo of a tabby cat, a type of pet."]]
    assert len(templates_of("imagenet")) == 7


def test_a_style_of_a_set_has_the_sets_templates():
    assert templates_of("photos-flat") == templates_of("photos")
    assert templates_of("never_heard_of") == GENERAL


@pytest.mark.parametrize("templates", [[], ["a photo."], ["a {} of a {}."], ["a photo of a {name}."]])
def test_bad_templates(templates):
    with pytest.raises(ArgumentError, match="template"):
        prompts(["cat"], templates)
