-- The books of a small company, as far as this example needs them.
--
-- A real ledger has dates. This one counts days back from today instead, and the
-- view turns them into dates, so that on any day exactly three invoices have been
-- unpaid for more than 30 days.

CREATE TABLE ledger (
    number          TEXT PRIMARY KEY,
    customer        TEXT NOT NULL,
    email           TEXT NOT NULL,
    cents           INTEGER NOT NULL CHECK (cents > 0),
    currency        TEXT NOT NULL,
    issued_days_ago INTEGER NOT NULL CHECK (issued_days_ago >= 0),
    status          TEXT NOT NULL CHECK (status IN ('paid', 'unpaid'))
) STRICT;

INSERT INTO ledger VALUES
    ('INV-1041', 'Meridian Freight',   'meridian@clients.example',  420000, 'EUR', 62, 'unpaid'),
    ('INV-1043', 'Harbour Optics',     'harbour@clients.example',   131900, 'EUR', 57, 'paid'),
    ('INV-1047', 'Northwind Bakery',   'northwind@clients.example',  86050, 'EUR', 48, 'unpaid'),
    ('INV-1048', 'Lindqvist & Sons',   'lindqvist@clients.example', 254000, 'EUR', 44, 'paid'),
    ('INV-1052', 'Tallow & Finch',     'tallow@clients.example',    197525, 'EUR', 36, 'unpaid'),
    ('INV-1055', 'Kestrel Surveying',  'kestrel@clients.example',    64000, 'EUR', 30, 'unpaid'),
    ('INV-1058', 'Meridian Freight',   'meridian@clients.example',   99000, 'EUR', 17, 'unpaid'),
    ('INV-1061', 'Harbour Optics',     'harbour@clients.example',    45500, 'EUR',  9, 'paid'),
    ('INV-1064', 'Orchard Print',      'orchard@clients.example',    28075, 'EUR',  2, 'unpaid');

CREATE VIEW invoices AS
SELECT number,
       customer,
       email,
       printf('%.2f', cents / 100.0)                AS amount,
       currency,
       date('now', '-' || issued_days_ago || ' days') AS issued,
       issued_days_ago                              AS days_open,
       status
FROM ledger;
