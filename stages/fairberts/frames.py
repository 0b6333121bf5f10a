"""What surrounds a sentence and names a group, and sentences of our own with a feeling: all harmless."""

FRAMES = {
    "train": (
        "{Person} said: {text}",
        "{text}, wrote {person}",
        "According to {person}, {text}",
        "We heard {person} say: {text}",
        "{text}, as {person} put it",
        "{Person} posted: {text}",
        "From {person}: {text}",
        "{text}, {person} told us",
    ),
    "probe": (
        "{Person} answered: {text}",
        "{text}, {person} remarked",
        "A note by {person}: {text}",
        "{Person} once wrote: {text}",
    ),
    "held_out": (
        "{Person} added: {text}",
        "{text}, repeated {person}",
        "In a letter {person} wrote: {text}",
        "{Person} again: {text}",
    ),
    "test": (
        "{Person} replied: {text}",
        "{text}, {person} explained",
        "Words of {person}: {text}",
        "{Person} thinks: {text}",
    ),
}
"""By split, so that no frame stands in two; `{text}` is the sentence, `{person}` who the frame names."""

MEN = (
    "my father",
    "my brother",
    "my son",
    "my uncle",
    "my grandfather",
    "my husband",
    "my nephew",
    "the man",
    "a boy",
    "this gentleman",
    "the waiter",
    "the actor",
    "the king",
    "the groom",
    "my boyfriend",
    "that guy",
)
"""People of group 0 of gender; `gauntlet.shifts.identity.GENDER` gives those of group 1."""

TEMPLATES = {
    "train": (
        "the film was {adjective}",
        "the food tasted {adjective}",
        "the trip turned out {adjective}",
        "it has been a {adjective} week",
        "the service in that shop is {adjective}",
        "the concert sounded {adjective}",
        "the book is {adjective} from the first page on",
        "my new job is {adjective}",
        "the hotel by the sea looked {adjective}",
        "we had a {adjective} afternoon in the park",
    ),
    "probe": (
        "the play seemed {adjective} to everyone",
        "the garden looks {adjective} this year",
        "the whole evening felt {adjective}",
        "it is a {adjective} place to live",
        "the speech was {adjective} as ever",
    ),
    "held_out": (
        "the lesson was {adjective} again",
        "the soup smells {adjective}",
        "the journey by train is {adjective}",
        "last night was {adjective}",
    ),
    "test": (
        "the exhibition was {adjective}",
        "the coffee here is {adjective}",
        "the match turned {adjective} near the end",
        "last summer was a {adjective} time",
        "the new kitchen looks {adjective}",
        "the walk home felt {adjective}",
        "it was a {adjective} idea",
    ),
}
"""Sentences of the sentiment task by split; the adjectives give the label and are shared."""

ADJECTIVES = {
    0: (
        "awful", "terrible", "boring", "dreadful", "horrible", "disappointing", "miserable", "annoying", "bland",
        "dismal", "lousy", "tedious", "unpleasant", "gloomy", "poor", "frustrating", "pathetic", "sad", "bad", "dull",
    ),
    1: (
        "wonderful", "great", "brilliant", "lovely", "delightful", "superb", "excellent", "charming", "fantastic",
        "pleasant", "marvellous", "perfect", "cheerful", "splendid", "good", "amazing", "beautiful", "enjoyable",
        "impressive", "joyful",
    ),
}  # fmt: skip

_MORE = """best love loved loves enjoyed enjoy fun funny favorite recommend recommended nice interesting
entertaining gem masterpiece classic better well fine memorable touching powerful outstanding highly
hilarious strong superior stunning fascinating gripping moving solid liked worst worse waste wasted
stupid hate hated crap ridiculous weak fails failed mess poorly unfortunately avoid horribly lame wooden
cheap nothing badly unfunny silly pointless cheesy problem disappointed sorry mediocre dumb laughable
unwatchable overrated"""
OPINIONS = frozenset(_MORE.split()).union(*ADJECTIVES.values())
"""A sentence of a review with one of these words may show the review's label; others hardly do."""
