// What checks say, and what a series of samples means. Pure: no clock, no database. The one rule
// above all: without data there is never success.
#pragma once

#include "base/db/table.hpp"
#include "base/result.hpp"
#include "runbooks/plan.hpp"

#include <string>
#include <vector>

namespace interlock::executor {

enum class Finding { holds, fails, no_data };
const char* name(Finding finding);

/// One check, read once.
struct Reading {
    std::string check; // Check::id
    Finding finding = Finding::no_data;
    std::string value; // as the target gave it, sanitized and cut; "" without data
    std::string why;   // a sentence when it does not hold
};

/// Exactly one row with one non-NULL value, compared as the check says; everything else is no data.
Reading read_check(const runbooks::Check& check, const base::Result<db::Table>& answer);

/// All checks of a verification, read at one moment.
struct Sample {
    long long at_ms = 0; // since verification began
    std::vector<Reading> recovery;
    std::vector<Reading> guardrails;
};

enum class Verdict {
    undecided,     // go on sampling
    recovered,     // everything held for the whole hold window
    harm,          // a guardrail failed
    not_recovered, // data throughout, criteria not met for long enough
    inconclusive,  // data missing where it was needed
};
const char* name(Verdict verdict);

struct Judgement {
    Verdict verdict = Verdict::undecided;
    std::string reason;
};

/// The verdict after `elapsed_ms`. Two good samples further apart than three intervals do not make
/// one window: what happened between them is unknown.
Judgement judge_samples(
    const runbooks::Verification& verification,
    const std::vector<Sample>& samples,
    long long elapsed_ms
);

} // namespace interlock::executor
