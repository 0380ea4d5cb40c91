"""Classification, extraction, changes of text, and summaries with points that can be checked."""

# ruff: noqa: E501 - a table reads better with one task a line

from __future__ import annotations

import random
from collections.abc import Iterator

from task_shape import Task, choice, exact, items, number, points

_SENTIMENT = """\
1|I love this phone, it is fantastic!|positive
1|Terrible service, I will never come back.|negative
1|What a wonderful day at the zoo, the kids were so happy.|positive
1|The soup was cold and tasted awful.|negative
1|Best pizza I have ever eaten.|positive
1|This laptop broke after two days. Very disappointing.|negative
1|Great value and fast delivery, thank you!|positive
1|I hate the new layout.|negative
1|The hotel was clean and the staff were lovely.|positive
1|Worst movie of the year.|negative
1|Excellent sound and a beautiful design.|positive
1|Boring, slow and far too long.|negative
2|I expected much more from this author.|negative
2|It does exactly what it says, no complaints.|positive
2|The room was nice but the noise kept us awake all night.|negative
2|A bit pricey, yet I would buy it again at once.|positive
2|Could have been worse, but I would not recommend it.|negative
2|My son has not put it down since he got it.|positive
3|Not bad at all, I was pleasantly surprised.|positive
3|If you like waiting for an hour, this is the place for you.|negative
3|I thought it would be dull. It was anything but.|positive
3|Oh great, another update that deletes my files.|negative
3|Hardly a page went by without a laugh.|positive
3|The only good thing about the trip was the way home.|negative
4|You will not find a better knife for peeling your own fingers.|negative
4|I returned it, only to order two more of the larger size.|positive
4|Brilliant idea to put the off switch where your knee is.|negative
4|My one regret is that I did not come here ten years earlier.|positive
"""
_SENTIMENT_ASK = (
    "Classify the sentiment of this review as positive or negative. Answer with one word.\nReview: {}",
    "Is this review positive or negative? Reply with one word.\n{}",
    "Review: {}\nSentiment (positive or negative):",
)
_TOPICS = ("sports", "politics", "technology", "food")
_TOPIC = """\
1|The striker scored twice in the final and lifted the cup.|sports
1|Add two eggs and a cup of flour and bake for half an hour.|food
1|The new laptop has a faster processor and more memory.|technology
1|The senate votes on the new tax law on Thursday.|politics
1|The team won the basketball game by twelve points.|sports
1|The chef serves grilled fish with lemon and rice.|food
1|The president met the prime minister before the election.|politics
1|A software update fixes the bug in the phone's camera app.|technology
2|She broke the record over 400 metres hurdles.|sports
2|Voters will choose a new mayor in spring.|politics
2|Simmer the sauce until it thickens, then add basil.|food
2|The startup trains chips to recognise speech.|technology
2|The minister resigned after the debate in parliament.|politics
2|The goalkeeper was injured in training.|sports
3|The stadium's kitchen has changed its recipe for dumplings.|food
3|Lawmakers argue over who may read encrypted messages.|politics
3|A sensor in the ball tells the referee whether it crossed the line.|technology
3|After the campaign the coach praised her squad's defence.|sports
"""
_SPAM = """\
1|WIN a FREE iPhone now!!! Click here to claim your prize!|spam
1|Hi Anna, are we still meeting for lunch at noon?|ham
1|Congratulations, you have won 1,000,000 dollars! Send your bank details.|spam
1|The minutes of yesterday's meeting are attached.|ham
1|Cheap pills, no prescription, order today and save 90%!|spam
1|Mum, I will be home by six.|ham
2|Your account will be closed. Verify your password at this link within 24 hours.|spam
2|Reminder: your dentist appointment is on Tuesday at 10.|ham
2|Make money from home, no experience needed, limited offer!|spam
2|Could you review my pull request before Friday?|ham
3|Your parcel could not be delivered. Pay a fee of 1.99 here.|spam
3|Congratulations on your new job! Drinks are on me on Friday.|ham
"""
_INTENT = ("refund", "shipping", "login", "other")
_INTENTS = """\
1|I want my money back for this order.|refund
1|Where is my package? It should have arrived yesterday.|shipping
1|I forgot my password and cannot sign in.|login
1|Please refund the broken lamp.|refund
2|The tracking number does not move since Monday.|shipping
2|It says my account is locked.|login
2|You charged me twice, please give back one payment.|refund
2|Do you have this shirt in green?|other
3|The code you text me to get in never arrives.|login
3|I sent it back two weeks ago and see nothing on my card yet.|refund
3|The courier says nobody was home, but I was.|shipping
3|Are your shops open on Sundays?|other
"""
_LANGUAGES = ("English", "French", "German", "Spanish")
_LANGUAGE = """\
1|The weather is nice today.|English
1|Bonjour, comment allez-vous ?|French
1|Guten Morgen, wie geht es Ihnen?|German
1|Buenos días, ¿cómo está usted?|Spanish
1|Où est la gare ?|French
1|Ich habe keine Zeit.|German
2|El perro duerme en la casa.|Spanish
2|She sells sea shells.|English
2|Das Buch liegt auf dem Tisch.|German
2|Je voudrais un café.|French
"""
_PRIORITY = """\
2|The whole site is down and no customer can pay.|high
2|Typo in the footer of the help page.|low
2|Data of all users is being deleted right now.|high
2|It would be nice to have a dark theme some day.|low
3|Since the release every second order is lost.|high
3|The logo is one pixel too far to the left.|low
4|Only one client is affected, but their alarm system no longer calls the fire brigade.|high
4|The page shows an error to everybody who opens the archive of 1998.|low
"""

_MORE_SENTIMENT = """\
1|I am so happy with this blender, it is perfect.|positive
1|The worst flight of my life.|negative
1|Delicious cake and friendly people!|positive
1|The screen cracked on the first day. Awful quality.|negative
1|A beautiful song, I listen to it every day.|positive
1|Rude waiter, dirty table, bad food.|negative
1|Super comfortable shoes, I love them.|positive
1|Do not buy this, it is a waste of money.|negative
2|The plot is thin, but I could not stop reading until dawn.|positive
2|It works, when it feels like it, which is seldom.|negative
2|My old one was better in every way.|negative
2|Five stars are not enough.|positive
3|I have seen paint dry with more suspense.|negative
3|Nothing about this camera disappointed me.|positive
3|Well, at least the box was pretty.|negative
4|They promised a quiet room. Quiet it was, once the building site closed at midnight.|negative
4|I tried hard to find a flaw and had to give up.|positive
"""
_MORE_TOPICS = """\
1|The goalkeeper saved a penalty in the last minute.|sports
1|Boil the pasta for ten minutes and add some salt.|food
1|The government plans to raise the minimum wage.|politics
1|The app now syncs your photos to the cloud.|technology
1|She won the tennis match in three sets.|sports
2|The bread needs to rise for two hours.|food
2|Engineers found a flaw in the wireless protocol.|technology
2|The two parties could not form a coalition.|politics
3|The mayor cut the ribbon of the new swimming arena before the election.|politics
3|The robot arm flips pancakes by itself, thanks to a new vision model.|technology
"""
_MORE_SPAM = """\
1|You are our lucky winner! Claim your free cruise now!|spam
1|Can you send me the slides from today's talk?|ham
1|Lose 10 kilos in one week with this one trick!!!|spam
1|Happy birthday, see you on Saturday.|ham
2|Your bank card is blocked, click here to unlock it.|spam
2|The invoice for March is attached, as we agreed on the phone.|ham
3|Dear friend, I am a prince and need your help to move 5 million dollars.|spam
3|You won the raffle at our school fair, pick up the basket in room 4.|ham
"""
_MORE_INTENTS = """\
1|Please give me a refund.|refund
1|When will my parcel arrive?|shipping
1|My login does not work.|login
2|The chair came with three legs, I would like to get my money returned.|refund
2|Can you deliver to an island?|shipping
2|I need to reset my password.|login
2|Do you hire students for the summer?|other
3|Your page throws me out as soon as I enter my code.|login
3|The box went to my neighbour's old address.|shipping
3|What is the chair made of?|other
"""
_MORE_LANGUAGES = """\
1|Where is the train station?|English
1|Wo ist der Bahnhof?|German
1|¿Dónde está la estación de tren?|Spanish
1|Merci beaucoup pour votre aide.|French
2|Mi hermana vive en Madrid.|Spanish
2|Le chat dort sur le canapé.|French
2|Wir gehen heute ins Kino.|German
"""


def classification() -> Iterator[Task]:
    """Make one task of each line of the first lists."""
    yield from _classified(_SENTIMENT, _TOPIC, _SPAM, _INTENTS, _LANGUAGE, _PRIORITY)


def more_classification() -> Iterator[Task]:
    """Make one task of each line of the second lists."""
    yield from _classified(_MORE_SENTIMENT, _MORE_TOPICS, _MORE_SPAM, _MORE_INTENTS, _MORE_LANGUAGES, "")


def _classified(*lists: str) -> Iterator[Task]:
    sentiment, topic, spam, intents, language, priority = lists
    for position, (difficulty, text, right) in enumerate(_rows(sentiment)):
        prompt = _SENTIMENT_ASK[position % 3].format(text)
        yield Task("classification", difficulty, prompt, choice(right, ("positive", "negative")), max_tokens=20)
    for ask, rows, options in (
        ("Which topic fits this sentence: {options}? Answer with one word.\n{text}", topic, _TOPICS),
        ("Is this message spam or ham (not spam)? Answer with one word, spam or ham.\nMessage: {text}", spam, ("spam", "ham")),
        ("Label the customer's message with one of: {options}. Answer with the label only.\nMessage: {text}", intents, _INTENT),
        ("In which language is this sentence: {options}? Answer with one word.\n{text}", language, _LANGUAGES),
        ("What priority has this ticket, high or low? Answer with one word.\nTicket: {text}", priority, ("high", "low")),
    ):
        for difficulty, text, right in _rows(rows):
            prompt = ask.format(options=", ".join(options), text=text)
            yield Task("classification", difficulty, prompt, choice(right, options), max_tokens=20)


def _rows(lines: str) -> Iterator[tuple[int, str, str]]:
    for line in lines.splitlines():
        difficulty, text, right = line.split("|")
        yield int(difficulty), text, right


_EXTRACT_ASK = (
    "Text: {text}\nExtract {what}. Answer with only the extracted value.",
    "Extract {what} from this text and reply with nothing else.\n{text}",
    "{text}\n\nFrom the text above, give {what} only.",
)
_FIRST = ("Maria", "John", "Aisha", "Pedro", "Lena", "Omar", "Yuki", "Nora")
_LAST = ("Lopez", "Smith", "Khan", "Silva", "Berg", "Haddad", "Mori", "Quinn")
_CITY = ("Oslo", "Lima", "Kyoto", "Porto", "Cairo", "Quito", "Turin", "Perth")


def extraction(seed: int = 104) -> Iterator[Task]:
    """Make 91 extractions: one value of its kind in the text, then several, then one that depends on another."""
    chance = random.Random(seed)
    position = 0
    for _ in range(7):
        for difficulty, text, what, right in _texts(chance):
            prompt = _EXTRACT_ASK[position % 3].format(text=text, what=what)
            yield Task("extraction", difficulty, prompt, exact(*right), max_tokens=40)
            position += 1


def _texts(chance: random.Random) -> Iterator[tuple[int, str, str, tuple[str, ...]]]:
    (first, other), last, (city, town) = chance.sample(_FIRST, 2), chance.choice(_LAST), chance.sample(_CITY, 2)
    mail = f"{first}.{last}@example.com".lower()
    phone, order, code = f"555-{chance.randint(1000, 9999)}", f"A{chance.randint(1000, 9999)}", chance.randint(400, 599)
    price, total, host = chance.randint(12, 99), chance.randint(100, 300), f"10.0.{chance.randint(0, 9)}.{chance.randint(2, 250)}"
    day, hour = chance.randint(10, 28), chance.randint(10, 20)
    yield 1, f"Please contact {first} at {mail} for details.", "the email address", (mail,)
    yield 1, f"Call us on {phone} if you have questions.", "the phone number", (phone,)
    yield 1, f"My name is {first} {last} and I live in {city}.", "the city", (city,)
    yield 1, f"Your order number is {order}. Thank you.", "the order number", (order,)
    yield 2, f"The meeting is on 2025-03-{day} at {hour}:30 in room {chance.randint(2, 9)}.", "the date", (f"2025-03-{day}",)
    yield 2, f"The lamp costs ${price} and comes with a bulb.", "the price", (f"${price}", str(price), f"{price} dollars")
    yield 2, f"{first} {last} wrote the report that {other} read in {city}.", "the full name of the author", (f"{first} {last}",)
    yield 3, f"Subtotal ${total}, shipping ${price}, total ${total + price}.", "the total amount", (f"${total + price}", str(total + price))
    log = f"2024-05-{day} ERROR gateway: status={code} upstream={host}:8080 retries=3"
    yield 3, log, "the IP address without the port", (host,)
    yield 3, f"{first} flew from {city} to {town} on Friday.", "the city of arrival", (town,)
    text = f"{first} sits in room {price}, {other} in room {price + 3}. {first}'s phone is {phone}, {other}'s is 555-0000."
    yield 4, text, f"the room number of {other}", (str(price + 3), f"room {price + 3}")
    yield (
        4,
        f"The meeting of the {day}th was moved forward two days to the {day - 2}th.",
        "the old day of the meeting",
        (f"{day}th", str(day), f"the {day}th"),
    )
    text = f"Order {order} from {city}: shipped. Order B{code} from {town}: open. Order C{total} from {city}: open."
    yield 5, text, f"the number of the open order from {city}", (f"C{total}", f"Order C{total}")


_WORDS = ("apple", "river", "stone", "cloud", "tiger", "garden", "window", "yellow", "music", "bridge", "candle", "pepper")


def changes(seed: int = 105) -> Iterator[Task]:
    """Make about 60 changes of given words: copying, case, order, counting, reversing."""
    chance = random.Random(seed)
    for turn in range(8):
        a, b, c, d, e = chance.sample(_WORDS, 5)
        yield Task("text", 1, f"Repeat this word exactly once and write nothing else: {a}", exact(a), max_tokens=20)
        yield Task("text", 1, f"Write the word {b} in capital letters. Reply with the word only.", _capitals(b), max_tokens=20)
        yield Task("text", 2, f"What is the first word of this list: {a}, {b}, {c}? Reply with the word only.", exact(a), max_tokens=20)
        yield Task("text", 2, f"Copy this line and change nothing: {a} {b} {c} {d}", exact(f"{a} {b} {c} {d}"), max_tokens=30)
        prompt = f"Sort these words alphabetically, separated by commas, and write nothing else: {a}, {b}, {c}"
        yield Task("text", 3, prompt, items(sorted((a, b, c))), max_tokens=30)
        prompt = f"How many words are in this list: {', '.join((a, b, c, d, e)[: 3 + turn % 3])}? Answer with a number."
        yield Task("text", 2, prompt, number(3 + turn % 3), max_tokens=20)
        prompt = f"List these words in reverse order, separated by commas, and write nothing else: {a}, {b}, {c}, {d}"
        yield Task("text", 3, prompt, items([d, c, b, a]), max_tokens=30)
        if turn % 2:
            yield Task("text", 5, f"Spell the word {b} backwards. Reply with the result only.", exact(b[::-1]), max_tokens=20)
        else:
            letter = max(sorted(set(c)), key=c.count)
            prompt = f"How many times does the letter {letter} occur in the word {c}? Answer with a number."
            yield Task("text", 4, prompt, number(c.count(letter)), max_tokens=20)


def _capitals(word: str) -> dict[str, object]:
    return {"rule": "exact", "values": [word.upper()], "case": True}


# difficulty | text | the points that a summary must make, regular expressions separated by ;;
_SUMMARY = """\
1|The library in Halden will close for repairs on 3 June. It opens again in August. Books may be returned at the town hall.|clos;;repair;;August
1|A storm hit the coast last night. Two bridges were damaged. Nobody was hurt.|storm;;bridge
1|The bakery on Mill Street won the prize for the best bread. The owner, Rosa, has baked for thirty years.|baker;;prize|award|won
2|The school will start at nine instead of eight from January. Parents had asked for it for two years.|school;;nine|9;;January
2|Ferry tickets will cost 12 euros instead of 10, because fuel has become dearer.|ferry;;12;;fuel
2|The museum's new wing shows 200 photographs of the harbour. Entry is free on Mondays.|museum;;photo;;free|Monday
2|Farmers report a poor apple harvest after the late frost in May. Prices may rise.|apple;;frost;;price
3|The city will replace its 80 diesel buses by electric ones by 2030. The first ten arrive next spring. The loan costs 40 million euros.|electric;;2030|80;;bus
3|Researchers followed 5,000 people for ten years. Those who walked daily had fewer heart attacks, though the study cannot prove the cause.|walk;;heart;;prove|cause|causal
3|The firm recalls the heater model H7, because its cable can overheat. Owners get their money back or a new one.|H7;;cable|overheat;;money|refund|replace|new
4|Two parties agreed on a budget: more for schools, less for roads. The third left the talks since it wanted the opposite.|school;;road;;third|left|opposite
4|At first the bridge was to be torn down; then a group of neighbours raised money, and now it is kept for walkers only.|bridge;;neighbo|money|raised;;walk|pedestrian
4|The trial drug helped patients under 50 but not those over 65, in whom it caused dizziness.|50|young;;65|old;;dizz
5|The court upheld the fine for the mill, but cut it by half, since the mill had reported the leak itself.|fine;;half|cut|reduc;;report
5|Sales rose by 8 percent, yet profit fell, because wages and rent grew faster than prices.|sales;;profit;;wage|rent|cost
"""
_SUMMARY_ASK = ("Summarize in one sentence of at most 25 words: {}", "Give a summary of this text in at most 25 words.\n{}")


def summaries() -> Iterator[Task]:
    """Make each text above a task in two phrasings."""
    for number_of_text, line in enumerate(_SUMMARY.splitlines(), start=1):
        difficulty, text, wanted = line.split("|", 2)
        for ask in _SUMMARY_ASK:
            check = points(*wanted.split(";;"), most_words=30)
            yield Task("summary", int(difficulty), ask.format(text), check, max_tokens=70, group=f"summary-text-{number_of_text:02}")
