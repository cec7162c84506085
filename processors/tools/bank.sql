-- The sample bank: schema and sample accounts. Amounts are cents; times are local to the branch.

CREATE TABLE customers (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    -- The name that a call token has for the customer.
    caller TEXT UNIQUE,
    -- salt$scrypt, see pin_hash() in bank.py; those of the samples are 4711 and 0815.
    pin TEXT
);

CREATE TABLE accounts (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers,
    kind TEXT NOT NULL CHECK (kind IN ('checking', 'savings')),
    balance_cents INTEGER NOT NULL,
    UNIQUE (customer_id, kind)
);

CREATE TABLE transactions (
    id INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES accounts,
    day TEXT NOT NULL,
    cents INTEGER NOT NULL,
    partner TEXT NOT NULL
);

CREATE TABLE appointments (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers,
    starts_at TEXT NOT NULL UNIQUE,
    topic TEXT NOT NULL,
    -- Names the wish that made it: the same wish again makes no second one.
    wish TEXT NOT NULL UNIQUE
);

INSERT INTO customers VALUES
    (1, 'Ada Sample', 'ada@example.com', 'ada',
     'ada-sample-salt$978bda8ba066990219cf5b1f3bf61fb05bef42ee88a9434a6b85a50e91b4996f'),
    (2, 'Ben Example', 'ben@example.com', 'ben',
     'ben-sample-salt$970c3f1d301d344435bdfe116b32e30da7ef8f59e81ec6a1f8ab03991bba40a5');

INSERT INTO accounts VALUES
    (1, 1, 'checking', 124000),
    (2, 1, 'savings', 530000),
    (3, 2, 'checking', 31750);

INSERT INTO transactions (account_id, day, cents, partner) VALUES
    (1, date('now', '-1 day'), 200000, 'salary'),
    (1, date('now', '-2 day'), -1500, 'taxi'),
    (1, date('now', '-3 day'), -4200, 'grocery store'),
    (1, date('now', '-6 day'), -89000, 'rent'),
    (1, date('now', '-9 day'), -1299, 'streaming service'),
    (2, date('now', '-5 day'), 20000, 'transfer from checking'),
    (2, date('now', '-35 day'), 20000, 'transfer from checking'),
    (3, date('now', '-1 day'), -1850, 'bookshop'),
    (3, date('now', '-4 day'), 45000, 'invoice 17');
