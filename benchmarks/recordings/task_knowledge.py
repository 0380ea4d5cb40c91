"""Facts and reasoning."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

from task_shape import Task, choice, exact, names, number

# difficulty | question | accepted answers, separated by /
_FACTS = """\
1|What is the capital of France?|Paris
1|What is the capital of Germany?|Berlin
1|What is the capital of Japan?|Tokyo
1|What is the capital of Italy?|Rome
1|What is the capital of Spain?|Madrid
1|What is the capital of England?|London
1|What color is the sky on a clear day?|blue
1|How many days are in a week?|7/seven
1|How many legs does a spider have?|8/eight
1|How many months are in a year?|12/twelve
1|What planet do we live on?|Earth
1|Which animal barks?|dog
1|What is frozen water called?|ice
1|What do bees make?|honey
1|What is the largest ocean on Earth?|Pacific
1|Which star is at the centre of our solar system?|Sun
1|How many hours are in a day?|24/twenty-four
1|What is the chemical formula of water?|H2O/H₂O
2|Who wrote the play Hamlet?|Shakespeare
2|Who painted the Mona Lisa?|Leonardo/da Vinci
2|What is the largest planet of our solar system?|Jupiter
2|What is the capital of Canada?|Ottawa
2|What is the capital of Egypt?|Cairo
2|What gas do plants take in from the air?|carbon dioxide/CO2
2|Which metal has the chemical symbol Fe?|iron
2|Who developed the theory of relativity?|Einstein
2|In which country is the Great Pyramid of Giza?|Egypt
2|What is the currency of Japan?|yen
2|How many continents are there?|7/seven
2|What is the tallest mountain on Earth?|Everest
2|Which language has the most native speakers in Brazil?|Portuguese
2|What is the chemical symbol of gold?|Au
2|Who was the first president of the United States?|Washington
2|Which organ pumps blood through the body?|heart
2|What is the square root of 144?|12/twelve
2|At how many degrees Celsius does water boil at sea level?|100
2|Which planet is known as the red planet?|Mars
2|Which keyword defines a function in Python?|def
3|What is the capital of Australia?|Canberra
3|What is the capital of Turkey?|Ankara
3|In which year did the Second World War end?|1945
3|Who wrote the novel 1984?|Orwell
3|What is the smallest prime number?|2/two
3|In which year did humans first land on the Moon?|1969
3|Who wrote Pride and Prejudice?|Austen
3|What is the chemical symbol of sodium?|Na
3|Which element has the atomic number 6?|carbon
3|What is the capital of Brazil?|Brasilia/Brasília
3|Who discovered penicillin?|Fleming
3|Which river flows through Vienna?|Danube
3|What does CPU stand for?|central processing unit
3|What does HTTP status code 404 mean?|not found
3|Which data structure works last in, first out?|stack
3|How many bits are in a byte?|8/eight
3|Which port does HTTPS use by default?|443
3|Who composed The Four Seasons?|Vivaldi
4|What is the capital of Kazakhstan?|Astana/Nur-Sultan
4|What is the capital of New Zealand?|Wellington
4|What is the capital of Morocco?|Rabat
4|Who wrote The Master and Margarita?|Bulgakov
4|In which year did the Berlin Wall fall?|1989
4|Which element has the chemical symbol W?|tungsten/wolfram
4|What is the time complexity of binary search, in big O notation?|O(log n)/O(log(n))/logarithmic
4|Which scientist proposed the uncertainty principle?|Heisenberg
4|What is the longest bone of the human body?|femur/thigh bone
4|Which country has Reykjavik as its capital?|Iceland
4|What is the chemical symbol of potassium?|K
4|Who painted The Night Watch?|Rembrandt
4|Which sorting algorithm splits at a pivot?|quicksort/quick sort
4|What is the value of 2 to the power of 10?|1024/1,024
4|Which Unix command changes the permissions of a file?|chmod
4|Which planet has the shortest day?|Jupiter
5|What is the capital of Burkina Faso?|Ouagadougou
5|What is the capital of Bhutan?|Thimphu
5|What is the capital of Slovenia?|Ljubljana
5|Who proved Fermat's last theorem?|Wiles
5|In which year was the Magna Carta sealed?|1215
5|Which element has the atomic number 50?|tin
5|Who wrote One Hundred Years of Solitude?|Márquez/Marquez
5|What is the largest moon of Saturn?|Titan
5|Which treaty ended the Thirty Years' War?|Westphalia
5|Who composed the opera The Magic Flute?|Mozart
5|What is the SI unit of magnetic flux?|weber
5|Which year did the Titanic sink?|1912
5|Which enzyme unwinds the DNA double helix?|helicase
5|What is the currency of Poland?|zloty/złoty
"""
_MORE_FACTS = """\
1|What is the capital of Russia?|Moscow
1|What is the capital of China?|Beijing
1|How many minutes are in an hour?|60/sixty
1|What color do you get by mixing blue and yellow?|green
1|Which season comes after winter?|spring
1|What is the opposite of hot?|cold
1|How many wheels does a bicycle have?|2/two
1|Which animal says moo?|cow
1|What is the first letter of the English alphabet?|A
1|On which continent is Kenya?|Africa
2|What is the capital of Greece?|Athens
2|What is the capital of Portugal?|Lisbon
2|What is the capital of India?|New Delhi/Delhi
2|Who wrote Romeo and Juliet?|Shakespeare
2|What is the boiling point of water in degrees Fahrenheit?|212
2|Which gas do humans need to breathe?|oxygen
2|What is the hardest natural substance?|diamond
2|Which planet has the most famous rings?|Saturn
2|How many sides does a hexagon have?|6/six
2|What is the longest river in Africa?|Nile
2|What is the currency of the United Kingdom?|pound
2|Who was the first person on the Moon?|Armstrong
3|What is the capital of Sweden?|Stockholm
3|What is the capital of Argentina?|Buenos Aires
3|What is the capital of South Korea?|Seoul
3|Who wrote Don Quixote?|Cervantes
3|What is the chemical symbol of silver?|Ag
3|In which year did the First World War begin?|1914
3|Which vitamin does sunlight help the skin to make?|vitamin D
3|Which language is spoken in Austria?|German
3|Who painted The Starry Night?|Gogh
3|What does RAM stand for?|random access memory/random-access memory
3|Which command lists files in a Unix shell?|ls
3|What is the powerhouse of the cell?|mitochondria/mitochondrion
3|What is the largest desert in Africa?|Sahara
3|How many players of one side are on a football (soccer) pitch?|11/eleven
4|What is the capital of Hungary?|Budapest
4|What is the capital of Kenya?|Nairobi
4|Who wrote Crime and Punishment?|Dostoevsky/Dostoyevsky
4|What is the chemical symbol of lead?|Pb
4|Which layer of the atmosphere holds the ozone layer?|stratosphere
4|Who formulated the laws of planetary motion?|Kepler
4|In which year did the French Revolution begin?|1789
4|What is the default port of PostgreSQL?|5432
4|Which country is the largest by area?|Russia
4|Which HTTP status code means too many requests?|429
4|What is the square root of 289?|17/seventeen
5|What is the capital of Mongolia?|Ulaanbaatar/Ulan Bator
5|What is the capital of Ecuador?|Quito
5|Which element has the atomic number 79?|gold
5|Who wrote The Magic Mountain?|Mann
5|In which year was the Battle of Hastings?|1066
5|What is the SI unit of electrical capacitance?|farad
5|Which scientist first described radioactivity?|Becquerel
"""
_FACT_ASK = ("{} Answer in one short sentence.", "{} Answer briefly.", "{} Give only the answer.")


def facts() -> Iterator[Task]:
    """Make one task of each line of the first list."""
    yield from _facts(_FACTS)


def more_facts() -> Iterator[Task]:
    """Make one task of each line of the second list."""
    yield from _facts(_MORE_FACTS)


def _facts(lines: str) -> Iterator[Task]:
    for position, line in enumerate(lines.splitlines()):
        difficulty, question, answers = line.split("|")
        yield Task("facts", int(difficulty), _FACT_ASK[position % 3].format(question), names(*answers.split("/")))


# difficulty | statement or question | yes or no
_YES_NO = """\
1|Is a dog an animal?|yes
1|Can a fish fly an airplane?|no
1|Is fire hot?|yes
1|Is 10 bigger than 3?|yes
1|Is ice warmer than steam?|no
1|Do cats have wings?|no
1|Is snow white?|yes
1|Is the number 4 larger than 40?|no
1|Is a banana a fruit?|yes
1|Is Monday a day of the week?|yes
2|All birds have feathers. A robin is a bird. Does a robin have feathers?|yes
2|All squares have four sides. This shape has three sides. Is it a square?|no
2|Tom is older than Sue. Is Sue older than Tom?|no
2|The shop opens at 9. It is 8. Is the shop open?|no
2|Every key on the ring is made of brass. This key is from the ring. Is it made of brass?|yes
2|If it rains, the match is off. It rains. Is the match on?|no
2|The red box is inside the blue box. Is the blue box inside the red box?|no
2|Lena has more coins than Max, and Max has more than Kim. Does Lena have more than Kim?|yes
3|No reptiles have fur. All snakes are reptiles. Do snakes have fur?|no
3|Some of the cups are broken. Does it follow that all cups are broken?|no
3|If the light is on, someone is home. Nobody is home. Is the light on?|no
3|All roses are flowers. Some flowers fade fast. Does it follow that some roses fade fast?|no
3|Today is Tuesday. Was it Sunday three days ago?|no
3|A meeting of 50 minutes starts at 10:20. Is it over by 11:15?|yes
4|Only members may vote. Ida may not vote. Does it follow that Ida is no member?|no
4|If A then B. B holds. Does A follow?|no
4|Every student who passed had studied. Omar did not study. Did Omar pass?|no
4|Is 91 a prime number?|no
4|Is 97 a prime number?|yes
4|The day after tomorrow is Friday. Is today Wednesday?|yes
"""
_SERIES = (
    (1, "2, 4, 6, 8", 10), (1, "5, 10, 15, 20", 25), (1, "1, 2, 3, 4", 5), (2, "3, 6, 9, 12", 15), (2, "20, 18, 16, 14", 12),
    (2, "1, 3, 5, 7", 9), (3, "2, 4, 8, 16", 32), (3, "1, 1, 2, 3, 5, 8", 13), (3, "1, 4, 9, 16", 25), (4, "2, 3, 5, 7, 11", 13),
    (4, "1, 2, 4, 7, 11", 16), (5, "2, 6, 12, 20, 30", 42), (5, "3, 5, 9, 17, 33", 65),
)  # fmt: skip


def reasoning() -> Iterator[Task]:
    """Make yes-no questions, series, orders of people and days of the week."""
    for position, line in enumerate(_YES_NO.splitlines()):
        difficulty, question, right = line.split("|")
        ask = ("Answer yes or no.", "Reply with only yes or no.")[position % 2]
        yield Task("reasoning", int(difficulty), f"{question} {ask}", choice(right, ("yes", "no")), max_tokens=20)
    for difficulty, series, following in _SERIES:
        yield Task("reasoning", difficulty, f"What number comes next: {series}, ...? Answer with only the number.", number(following))
    yield from orders(103)


def orders(seed: int) -> Iterator[Task]:
    """Make 23 questions on the order of people and on days of the week."""
    chance = random.Random(seed)
    people = ("Ann", "Bob", "Cid", "Dan", "Eve", "Fay", "Gil", "Hal")
    words = (("taller", "tallest", "shortest"), ("older", "oldest", "youngest"), ("faster", "fastest", "slowest"))
    for turn in range(15):
        size = 3 + turn % 3
        row = chance.sample(people, size)
        more, most, least = words[turn % 3]
        clues = [f"{first} is {more} than {second}." for first, second in itertools.pairwise(row)]
        if size > 3:  # noqa: PLR2004 - three people in order are the easy case
            chance.shuffle(clues)
        asked, right = (most, row[0]) if turn % 2 else (least, row[-1])
        prompt = f"{' '.join(clues)} Who is the {asked}? Answer with one name."
        yield Task("reasoning", size - 1, prompt, choice(right, tuple(row)), max_tokens=20)
    days = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    for turn, ahead in enumerate((1, 2, 3, 1, 10, 8, 30, 100)):
        start = chance.randrange(7)
        prompt = f"Today is {days[start]}. Which day of the week is it in {ahead} day{'s' if ahead > 1 else ''}? Answer with one word."
        yield Task("reasoning", (1, 2, 2, 1, 4, 3, 5, 5)[turn], prompt, exact(days[(start + ahead) % 7]), max_tokens=20)
