// One line a check, and one exit code for them all.
export class Report {
    #checks = 0;
    #failures = 0;

    check(name, holds, detail = '') {
        ++this.#checks;
        this.#failures += holds ? 0 : 1;
        console.log(`${holds ? 'pass' : 'fail'}  ${name}${holds || !detail ? '' : `: ${detail}`}`);
    }

    /** A part whose exception is a failed check of its name, and ends nothing else. */
    async part(name, action) {
        try {
            await action();
        } catch (problem) {
            this.check(name, false, problem?.stack ?? problem);
        }
    }

    /** Prints the sum and ends the process. */
    finish() {
        console.log(`${this.#checks - this.#failures} of ${this.#checks} checks passed`);
        process.exit(this.#failures === 0 && this.#checks > 0 ? 0 : 1);
    }
}

/** A value as a line of a report can hold it. */
export function brief(value) {
    return (JSON.stringify(value) ?? String(value)).slice(0, 800);
}
