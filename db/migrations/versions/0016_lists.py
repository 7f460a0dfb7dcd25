"""Lists walk an index: whom a subject concerns, what a task asks whom, and one reading for each page.

Revision ID: 0016
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# What a task is, beside whom it asks: an open one by its deadline, any by its age. Triggers keep the copies true, so
# that an older process that still runs needs to know nothing of them.
ASKED = """
ALTER TABLE task_person ADD COLUMN status text, ADD COLUMN opened_at timestamptz, ADD COLUMN due_at timestamptz,
    ADD COLUMN decided boolean;
UPDATE task_person SET status = task.status, opened_at = task.opened_at, due_at = task.due_at,
    decided = EXISTS (SELECT FROM decision WHERE decision.task_id = task.id AND decision.person = task_person.person)
    FROM task WHERE task.id = task_person.task_id;
ALTER TABLE task_person ALTER COLUMN status SET NOT NULL, ALTER COLUMN opened_at SET NOT NULL,
    ALTER COLUMN due_at SET NOT NULL, ALTER COLUMN decided SET NOT NULL;
CREATE INDEX ix_task_person_listed ON task_person (person, status, opened_at, task_id)
    WHERE removed_at IS NULL OR decided;
CREATE INDEX ix_task_person_waiting ON task_person (person, due_at, task_id)
    WHERE status = 'open' AND removed_at IS NULL;
CREATE INDEX ix_decision_person ON decision (person, decided_at, task_id);
DROP INDEX ix_task_subject;
CREATE INDEX ix_task_subject ON task (subject_id, opened_at);

CREATE FUNCTION copy_task() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    SELECT task.status, task.opened_at, task.due_at INTO NEW.status, NEW.opened_at, NEW.due_at
        FROM task WHERE task.id = NEW.task_id;
    NEW.decided := EXISTS (SELECT FROM decision WHERE task_id = NEW.task_id AND person = NEW.person);
    RETURN NEW;
END $$;
CREATE TRIGGER task_person_copies BEFORE INSERT ON task_person FOR EACH ROW EXECUTE FUNCTION copy_task();

CREATE FUNCTION copy_task_changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE task_person SET status = NEW.status, opened_at = NEW.opened_at, due_at = NEW.due_at
        WHERE task_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER task_copied AFTER UPDATE OF status, opened_at, due_at ON task FOR EACH ROW
    WHEN ((OLD.status, OLD.opened_at, OLD.due_at) IS DISTINCT FROM (NEW.status, NEW.opened_at, NEW.due_at))
    EXECUTE FUNCTION copy_task_changed();

CREATE FUNCTION copy_decision() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE task_person SET decided = true WHERE task_id = NEW.task_id AND person = NEW.person;
    RETURN NULL;
END $$;
CREATE TRIGGER decision_copied AFTER INSERT ON decision FOR EACH ROW EXECUTE FUNCTION copy_decision();
"""

# X2: whom a subject concerns beside its owner and their department. `listed_at` is the moment that lists of such
# subjects are ordered by. Triggers make the rows anew for one person, or for everybody, from what is on record.
TIES = """
CREATE TABLE tie (
    person text NOT NULL,
    subject_type text NOT NULL,
    subject_id text NOT NULL,
    kind text NOT NULL,
    listed_at timestamptz NOT NULL,
    CONSTRAINT pk_tie PRIMARY KEY (subject_id, person, kind, subject_type)
);
CREATE INDEX ix_tie_person ON tie (person, subject_type, kind, listed_at, subject_id);
CREATE INDEX ix_tie_sides ON tie (listed_at, subject_id) WHERE kind = 'side';

CREATE FUNCTION tie_up(of_subject text, of_person text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    WITH subject AS MATERIALIZED (
        SELECT 'application' AS subject_type, id, submitted_at AS listed_at FROM application WHERE id = of_subject
        UNION ALL SELECT 'project', id, registered_at FROM project WHERE id = of_subject
        UNION ALL SELECT 'account', id, activated_at FROM account WHERE application_id = of_subject
    ), tied AS (
        SELECT task_person.person, 'asked' AS kind FROM task JOIN task_person ON task_person.task_id = task.id
        WHERE task.subject_id = of_subject AND (task_person.removed_at IS NULL OR task_person.decided)
        UNION SELECT claimant ->> 'person', 'side'
        FROM dispute, jsonb_array_elements(dispute.claimants) AS claimant WHERE dispute.project_id = of_subject
        UNION SELECT participant, 'invited'
        FROM dispute, jsonb_array_elements_text(dispute.meeting -> 'participants') AS participant
        WHERE dispute.project_id = of_subject
        UNION SELECT mail.person, 'told' FROM mail JOIN project ON project.id = mail.subject_id
        WHERE mail.subject_id = of_subject
        AND (project.loss IS NOT NULL AND mail.facts ->> 'kind' = 'lost'
            OR project.stage = 'disputed' AND mail.facts ->> 'kind' = 'registered_under_account')
    ), wanted AS MATERIALIZED (
        SELECT tied.person, subject.subject_type, subject.id AS subject_id, tied.kind, subject.listed_at
        FROM subject, tied WHERE of_person IS NULL OR tied.person = of_person
    ), gone AS (
        DELETE FROM tie USING subject
        WHERE tie.subject_id = subject.id AND tie.subject_type = subject.subject_type
        AND (of_person IS NULL OR tie.person = of_person)
        AND NOT EXISTS (
            SELECT FROM wanted WHERE (wanted.person, wanted.kind, wanted.subject_type)
            = (tie.person, tie.kind, tie.subject_type))
    )
    INSERT INTO tie (person, subject_type, subject_id, kind, listed_at)
    SELECT person, subject_type, subject_id, kind, listed_at FROM wanted
    ON CONFLICT ON CONSTRAINT pk_tie DO UPDATE SET listed_at = excluded.listed_at
        WHERE tie.listed_at <> excluded.listed_at;
END $$;

CREATE FUNCTION tie_up_asked() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM tie_up(subject_id, NEW.person) FROM task WHERE id = NEW.task_id;
    RETURN NULL;
END $$;
CREATE TRIGGER task_person_tied AFTER INSERT OR UPDATE OF removed_at, decided ON task_person FOR EACH ROW
    EXECUTE FUNCTION tie_up_asked();

CREATE FUNCTION tie_up_told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM tie_up(NEW.subject_id, NEW.person);
    RETURN NULL;
END $$;
CREATE TRIGGER mail_tied AFTER INSERT ON mail FOR EACH ROW
    WHEN (NEW.facts ->> 'kind' IN ('lost', 'registered_under_account')) EXECUTE FUNCTION tie_up_told();

CREATE FUNCTION tie_up_everybody() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM tie_up(to_jsonb(NEW) ->> TG_ARGV[0], NULL);
    RETURN NULL;
END $$;
CREATE TRIGGER dispute_tied AFTER INSERT OR UPDATE OF claimants, meeting ON dispute FOR EACH ROW
    EXECUTE FUNCTION tie_up_everybody('project_id');
CREATE TRIGGER account_tied AFTER INSERT ON account FOR EACH ROW EXECUTE FUNCTION tie_up_everybody('application_id');
CREATE TRIGGER application_tied AFTER INSERT ON application FOR EACH ROW EXECUTE FUNCTION tie_up_everybody('id');
CREATE TRIGGER project_tied AFTER INSERT ON project FOR EACH ROW EXECUTE FUNCTION tie_up_everybody('id');
CREATE TRIGGER project_tied_again AFTER UPDATE OF registered_at, stage, loss ON project FOR EACH ROW
    WHEN (OLD.registered_at <> NEW.registered_at OR (OLD.stage = 'disputed') <> (NEW.stage = 'disputed')
        OR (OLD.loss IS NULL) <> (NEW.loss IS NULL))
    EXECUTE FUNCTION tie_up_everybody('id');
"""

# The order of each list, for each column that makes somebody see a subject.
WALKS = """
DROP INDEX ix_application_applicant;
CREATE INDEX ix_application_applicant ON application (applicant, submitted_at, id);
CREATE INDEX ix_application_department ON application (department, submitted_at, id);
DROP INDEX ix_application_stage;
CREATE INDEX ix_application_stage ON application (stage, submitted_at, id);
CREATE INDEX ix_account_activated_at ON account (activated_at, id);
CREATE INDEX ix_account_salesperson ON account (salesperson, activated_at, id);
CREATE INDEX ix_account_department ON account (department, activated_at, id);
CREATE INDEX ix_project_applicant ON project (applicant, registered_at, id);
DROP INDEX ix_project_salesperson;
CREATE INDEX ix_project_salesperson ON project (salesperson, registered_at, id);
CREATE INDEX ix_project_department ON project (department, registered_at, id);
DROP INDEX ix_project_stage;
CREATE INDEX ix_project_stage ON project (stage, registered_at, id);
CREATE INDEX ix_project_numbered ON project (registered_at, id) WHERE number IS NOT NULL;
CREATE INDEX ix_mail_told ON mail (person, id) WHERE link_id IS NULL;
DROP INDEX ix_mail_subject_id;
CREATE INDEX ix_mail_subject_id ON mail (subject_id, person, id);
"""

# A page of a list is one reading, whatever it lists.
READINGS = """
ALTER TABLE reading ALTER COLUMN subject_id DROP NOT NULL;
ALTER TABLE reading ADD COLUMN subject_ids text[];
ALTER TABLE reading ADD CONSTRAINT ck_reading_one_or_several CHECK ((subject_id IS NULL) <> (subject_ids IS NULL));
CREATE VIEW subject_read AS
    SELECT id, at, person, subject_type, through, unnest(coalesce(subject_ids, ARRAY[subject_id])) AS subject_id
    FROM reading;
"""


def upgrade() -> None:
    for statements in (ASKED, TIES, WALKS, READINGS):
        for statement in _apart(statements):  # asyncpg prepares one statement at a time
            op.execute(statement)
    for table in ("application", "project"):
        op.execute(f"SELECT tie_up(id, NULL) FROM {table}")


def _apart(statements: str) -> list[str]:
    """Statements one by one; a function's body stays whole."""
    quoted = statements.split("$$")
    quoted[::2] = [part.replace(";\n", ";\0") for part in quoted[::2]]
    return [statement for statement in "$$".join(quoted).split(";\0") if statement.strip()]


def downgrade() -> None:
    raise NotImplementedError("the record is never taken down; restore a backup instead")
