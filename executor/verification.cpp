#include "executor/verification.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"
#include "telemetry/redaction.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace interlock::executor {

namespace {

using runbooks::Check;
using runbooks::Comparison;

std::optional<long long> to_integer(std::string_view text) {
    long long value = 0;
    const auto* end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stopped != end) {
        return std::nullopt;
    }
    return value;
}

/// nullopt: the two cannot be compared.
std::optional<bool> compare(const Check& check, std::string_view value) {
    if (check.comparison == Comparison::equals) {
        return value == check.expected;
    }
    const auto found = to_integer(value);
    const auto expected = to_integer(check.expected);
    if (!found || !expected) {
        return std::nullopt;
    }
    return check.comparison == Comparison::at_least ? *found >= *expected : *found <= *expected;
}

const char* words(Comparison comparison) {
    switch (comparison) {
    case Comparison::equals:
        return "must be";
    case Comparison::at_least:
        return "must be at least";
    case Comparison::at_most:
        return "must be at most";
    }
    return "must be";
}

Reading without_data(const Check& check, std::string why) {
    return {check.id, Finding::no_data, "", "Check " + check.id + " gave no data: " + why};
}

const Reading* first_with(const std::vector<Reading>& readings, Finding finding) {
    const auto found = std::find_if(readings.begin(), readings.end(), [&](const Reading& reading) {
        return reading.finding == finding;
    });
    return found == readings.end() ? nullptr : &*found;
}

/// Recovery criteria are needed and all of them must hold; a guardrail without data is no proof
/// that nothing got worse.
bool is_good(const runbooks::Verification& verification, const Sample& sample) {
    const auto holds = [](const Reading& reading) { return reading.finding == Finding::holds; };
    return !verification.recovery.empty() &&
           sample.recovery.size() == verification.recovery.size() &&
           sample.guardrails.size() == verification.guardrails.size() &&
           std::all_of(sample.recovery.begin(), sample.recovery.end(), holds) &&
           std::all_of(sample.guardrails.begin(), sample.guardrails.end(), holds);
}

struct Window {
    std::size_t first = 0; // index of the run's first sample
    std::size_t count = 0;
    long long held_ms = 0;
};

/// The unbroken run of good samples at the end of the series.
Window trailing_window(
    const runbooks::Verification& verification,
    const std::vector<Sample>& samples,
    long long gap_ms_max
) {
    Window window;
    for (std::size_t i = samples.size(); i-- > 0;) {
        if (!is_good(verification, samples[i])) {
            break;
        }
        if (window.count > 0 && samples[i + 1].at_ms - samples[i].at_ms > gap_ms_max) {
            break;
        }
        window.first = i;
        ++window.count;
        window.held_ms = samples.back().at_ms - samples[i].at_ms;
    }
    return window;
}

/// Why the last hold window cannot be judged, or nothing when there were data all through it.
std::optional<std::string> missing_data(
    const runbooks::Verification& verification,
    const std::vector<Sample>& samples,
    long long elapsed_ms,
    long long gap_ms_max
) {
    if (verification.recovery.empty()) {
        return "the plan names no recovery criterion";
    }
    if (samples.empty()) {
        return "not one sample could be taken";
    }
    const long long from_ms = elapsed_ms - verification.hold_ms;
    long long previous_ms = 0;
    for (const auto& sample : samples) {
        if (sample.at_ms >= from_ms) {
            for (const auto* readings : {&sample.recovery, &sample.guardrails}) {
                if (const auto* blind = first_with(*readings, Finding::no_data)) {
                    return blind->why;
                }
            }
            if (sample.at_ms - previous_ms > gap_ms_max) {
                return "there was no sample for " + std::to_string(sample.at_ms - previous_ms) +
                       " ms";
            }
        }
        previous_ms = sample.at_ms;
    }
    if (elapsed_ms - previous_ms > gap_ms_max) {
        return "there was no sample for the last " + std::to_string(elapsed_ms - previous_ms) +
               " ms";
    }
    return std::nullopt;
}

} // namespace

const char* name(Finding finding) {
    switch (finding) {
    case Finding::holds:
        return "holds";
    case Finding::fails:
        return "fails";
    case Finding::no_data:
        return "no_data";
    }
    return "no_data";
}

const char* name(Verdict verdict) {
    switch (verdict) {
    case Verdict::undecided:
        return "undecided";
    case Verdict::recovered:
        return "recovered";
    case Verdict::harm:
        return "harm";
    case Verdict::not_recovered:
        return "not_recovered";
    case Verdict::inconclusive:
        return "inconclusive";
    }
    return "inconclusive";
}

Reading read_check(const Check& check, const base::Result<db::Table>& answer) {
    if (!answer.ok()) {
        return without_data(check, answer.error().what);
    }
    const auto& rows = answer->rows;
    if (rows.size() != 1 || rows.front().size() != 1) {
        return without_data(
            check, "it must return one value and returned " + std::to_string(rows.size()) + " rows"
        );
    }
    const auto& cell = rows.front().front();
    if (!cell) {
        return without_data(check, "it returned NULL");
    }
    const std::string shown =
        base::cut_middle(telemetry::safe_text(*cell), base::limits::cell_chars_max);
    const auto met = compare(check, *cell);
    if (!met) {
        return without_data(check, "'" + shown + "' is not an integer");
    }
    if (*met) {
        return {check.id, Finding::holds, shown, ""};
    }
    return {
        check.id,
        Finding::fails,
        shown,
        "Check " + check.id + " is '" + shown + "' and " + words(check.comparison) + " '" +
            check.expected + "' (" + check.about + ").",
    };
}

Judgement judge_samples(
    const runbooks::Verification& verification,
    const std::vector<Sample>& samples,
    long long elapsed_ms
) {
    const long long gap_ms_max = 3 * verification.interval_ms;
    for (const auto& sample : samples) {
        if (const auto* harmed = first_with(sample.guardrails, Finding::fails)) {
            return {
                Verdict::harm,
                "A guardrail failed " + std::to_string(sample.at_ms) + " ms in. " + harmed->why};
        }
    }
    const auto window = trailing_window(verification, samples, gap_ms_max);
    if (window.count >= 2 && window.held_ms >= verification.hold_ms) {
        return {
            Verdict::recovered,
            "Every recovery criterion held in " + std::to_string(window.count) +
                " consecutive samples over " + std::to_string(window.held_ms) + " ms."};
    }
    if (elapsed_ms < verification.deadline_ms) {
        return {};
    }
    if (const auto missing = missing_data(verification, samples, elapsed_ms, gap_ms_max)) {
        return {Verdict::inconclusive, "Recovery could not be judged: " + *missing + "."};
    }
    const auto* failing = first_with(samples.back().recovery, Finding::fails);
    const std::string detail =
        failing != nullptr
            ? failing->why
            : "They held for the last " + std::to_string(window.held_ms) + " ms only.";
    return {
        Verdict::not_recovered,
        "The recovery criteria did not hold for " + std::to_string(verification.hold_ms) +
            " ms within " + std::to_string(verification.deadline_ms) + " ms. " + detail};
}

} // namespace interlock::executor
