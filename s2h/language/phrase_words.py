"""The closed lists of English words by which `noun_phrases.py` finds where a noun phrase begins and ends."""

from __future__ import annotations

from s2h.language.word_tables import word_set

# What a noun phrase begins with, by the number of its head: one thing, several, or either.
SINGULAR = word_set("a an one another each every this that")
PLURAL = word_set(
    """two three four five six seven eight nine ten eleven twelve dozen twenty several many few both these those various
    multiple numerous assorted different"""
)
ANY_NUMBER = word_set("the some his her their its my our your all any no other more most such")
NEGATIONS = word_set("no without")
# Words that end a noun phrase.
CLOSED = word_set(
    """of with in on at that which who whose where when and or but nor to for from by near next beside besides under over
    behind above below against along across inside outside through throughout while as is are was were be been being am
    has have had do does did will would can could may might must should shall into onto off out up down around among amid
    between beneath underneath past toward towards upon via per than then there here it he she they we i you him them us
    me not so if because before after during until since about atop alongside within without like unlike despite plus
    versus vs very too also just only together away back ahead nearby indoors outdoors outside overhead apart side"""
)
# Adverbs before an adjective, which an article may go before: "a freshly baked pie".
ADVERBS = word_set(
    "very really quite extremely brightly freshly partially fully half newly nicely well slightly mostly"
)
# Before a participle these belong to it: what is half eaten is not eaten.
PARTLY = word_set("half partially")
# Plurals that stand before a noun ("a sports car"), and nouns in the singular that take a plural verb ("a couple walk").
PLURAL_MODIFIERS = word_set(
    "sports clothes women men ladies news arts goods jeans glasses games savings kids girls boys"
)
COLLECTIVE = word_set("couple family team crowd group pair band class crew audience staff trio duo")
# Nouns to which "of" adds what is really there ("a group of people").
PARTITIVE = word_set(
    """pair group couple bunch cluster row pile stack set lot piece slice quarter half herd flock head baby line
    number variety collection assortment array series lots dozens hundreds thousands swarm school pack gaggle litter bouquet
    handful load loads plenty kind type sort breed species gang trio portion chunk scoop suit heap tons selection stretch
    patch clump mass sea team line bits bit sheet strip block pool pride pod colony troop flight slab wedge rack"""
)
# Words in -ing that name something behind a noun ("a brick building").
THINGS_IN_ING = word_set(
    """building painting ceiling wedding railing stocking clothing earring string ring king wing crossing awning lighting
    frosting bedding topping dressing pudding dumpling duckling seedling carving drawing icing lettering siding spring swing
    sling pairing sting herring gosling sapling molding moulding flooring paneling panelling seating scaffolding plumbing
    wiring tubing piping bunting rigging netting cladding carpeting fencing roofing grating edging dwelling engraving
    etching lining outbuilding stitching"""
)
# A plural behind these is a noun ("stone steps"), though it could be a verb.
MATERIALS = word_set(
    """stone wood metal brick glass concrete paper plastic steel iron leather marble cement bronze bamboo wicker
    cardboard clay granite velvet silk cotton wool"""
)
# Behind a mass noun and a verb these tell the verb: "sunlight streams through".
MOTIONS = word_set("through across into onto from down past")
# Before "view" these end the phrase of what is seen: "Stadium aerial view".
VIEWS = word_set("aerial top side front rear back panoramic")
# Participles that describe the noun behind them without an article: "Sleeping cat", but not "Eating pizza".
STATES = word_set(
    """smiling sleeping running flying standing sitting laughing crying barking swimming jumping dancing burning falling
    blooming flowering grazing hanging floating sparkling shining glowing growing moving rolling rising howling galloping
    roaring soaring melting boiling yawning kneeling rotting crumbling drooping leaning lounging resting crawling hatching
    living existing surviving flickering blossoming aging charming amazing stunning interesting surprising breathtaking
    adoring loving caring missing matching winning leading remaining rippling winding towering sprawling looming
    shimmering"""
)
BEGINNINGS = SINGULAR | ANY_NUMBER | PLURAL
DETERMINERS = BEGINNINGS | NEGATIONS | ADVERBS
ENDS = CLOSED | BEGINNINGS
NO_START = CLOSED - DETERMINERS  # no noun phrase begins with these
# Past forms that say how a thing was made, behind a noun that does nothing itself: "home made pizza".
MADE = word_set("made built fed cut lit held bound spun knit sewn hewn shorn strung hung fought sown")
PAST_IS_NOUN = 5  # tenths of its uses as a noun that a past form must have to count as one
