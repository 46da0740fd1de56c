// The plan as the approver reads it. Everything in the plan is shown, nothing is clipped: lines
// that are too long go on in a marked line, so that text pushed far to the right or far down stays
// in sight. Every character outside printable ASCII is shown as an escape.
#include "base/text.hpp"
#include "runbooks/plan.hpp"

#include <algorithm>

namespace interlock::runbooks {
namespace {

constexpr std::size_t width = 96;
constexpr std::size_t label_width = 14;

/// Text as one line that cannot pretend to be several.
std::string one_line(std::string_view text) {
    std::string visible;
    for (const char c : text) {
        switch (c) {
        case '\\':
            visible += "\\\\";
            break;
        case '"':
            visible += "\\\"";
            break;
        case '\n':
            visible += "\\n";
            break;
        case '\t':
            visible += "\\t";
            break;
        default:
            visible.push_back(c);
        }
    }
    return base::escape_non_ascii(visible);
}

std::string quoted(std::string_view text) {
    return '"' + one_line(text) + '"';
}

std::string count_of(std::size_t count, const std::string& noun) {
    return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

/// dc7e-1f2a-...: groups of four, easy to compare by eye and by voice.
std::string grouped(std::string_view digest) {
    std::string out;
    for (std::size_t at = 0; at < digest.size(); at += 4) {
        out += (at == 0 ? "" : "-") + std::string(digest.substr(at, 4));
    }
    return out;
}

/// Builds the page line by line.
class Page {
public:
    void heading(const std::string& text) { page_ += "\n" + text + "\n"; }

    /// "  label         text", wrapped with the rest indented below the text.
    void field(const std::string& label, const std::string& text, std::size_t indent = 2) {
        std::string start(indent, ' ');
        start += label;
        start.resize(std::max(indent + label_width, start.size() + 1), ' ');
        wrap(start, std::string(indent + label_width, ' ') + "| ", text, Break::words);
    }

    /// Numbered lines exactly as they are sent; a line that goes on is marked with '>'.
    void statement(const BoundStatement& statement, std::size_t indent) {
        const std::string margin(indent, ' ');
        const auto lines = split_lines(base::escape_non_ascii(statement.sql));
        field("SQL", count_of(lines.size(), "line"), indent);
        for (std::size_t i = 0; i < lines.size(); ++i) {
            auto number = std::to_string(i + 1);
            number.insert(0, number.size() < 4 ? 4 - number.size() : 0, ' ');
            wrap(margin + number + " | ", margin + "     > ", lines[i], Break::anywhere);
        }
        for (std::size_t i = 0; i < statement.parameters.size(); ++i) {
            const auto& parameter = statement.parameters[i];
            field(
                "$" + std::to_string(i + 1),
                one_line(parameter.name) + " = " + quoted(parameter.value) + " as " +
                    one_line(parameter.type),
                indent
            );
        }
        if (statement.parameters.empty()) {
            field("parameters", "none", indent);
        }
    }

    std::string take() { return std::move(page_); }

private:
    enum class Break { words, anywhere };

    static std::vector<std::string> split_lines(const std::string& text) {
        std::vector<std::string> lines{""};
        for (const char c : text) {
            if (c == '\n') {
                lines.emplace_back();
            } else if (c == '\t') {
                lines.back() += "\\t";
            } else {
                lines.back().push_back(c);
            }
        }
        return lines;
    }

    /// Puts together again, without the margins, the pieces are exactly `text`.
    void wrap(const std::string& first, const std::string& rest, std::string_view text, Break at) {
        const auto* margin = &first;
        do {
            auto length = width - std::min(margin->size(), width / 2);
            if (at == Break::words && text.size() > length) {
                const auto space = text.rfind(' ', length - 1);
                length = space == std::string_view::npos ? length : space + 1;
            }
            page_ += *margin + std::string(text.substr(0, length)) + "\n";
            text.remove_prefix(std::min(length, text.size()));
            margin = &rest;
        } while (!text.empty());
    }

    std::string page_;
};

std::string condition(const Check& check) {
    switch (check.comparison) {
    case Comparison::at_least:
        return "at least " + quoted(check.expected);
    case Comparison::at_most:
        return "at most " + quoted(check.expected);
    case Comparison::equals:
        break;
    }
    return "exactly " + quoted(check.expected);
}

void add_check(Page& page, const std::string& title, const Check& check, std::size_t indent = 2) {
    page.field(title, one_line(check.id), indent);
    page.field("holds when", one_line(check.about), indent + 2);
    page.field("value must be", condition(check), indent + 2);
    page.statement(check.statement, indent + 2);
}

void add_checks(Page& page, const std::string& kind, const std::vector<Check>& checks) {
    for (std::size_t i = 0; i < checks.size(); ++i) {
        const auto place = std::to_string(i + 1) + "/" + std::to_string(checks.size());
        add_check(page, kind + " " + place, checks[i]);
    }
}

void add_inverse(Page& page, const Inverse& inverse) {
    if (inverse.statement) {
        page.field("undo", "by this statement", 4);
        page.statement(*inverse.statement, 6);
    } else {
        page.field(
            "undo", inverse.exists ? "claimed, but no statement is given" : "NOT POSSIBLE", 4
        );
    }
    if (!inverse.absence_reason.empty()) {
        page.field("because", one_line(inverse.absence_reason), 4);
    }
    page.field("bounded", inverse.bounded ? "yes, the effect ends with one session" : "no", 4);
}

void add_step(Page& page, const Step& step) {
    page.field("does", one_line(step.about), 4);
    page.field(
        "class",
        step.step_class == StepClass::transactional
            ? "transactional: effect and record commit together"
            : "readback: after a crash the probe tells whether it happened",
        4
    );
    page.field("locks", one_line(step.expected_lock), 4);
    page.field("lock wait", "at most " + std::to_string(step.lock_timeout_ms) + " ms", 4);
    page.field("run time", "at most " + std::to_string(step.statement_timeout_ms) + " ms", 4);
    page.field(
        "rows",
        "exactly " + std::to_string(step.rows_expected) + "; a true-or-false answer must be true",
        4
    );
    page.statement(step.statement, 4);
    if (step.probe) {
        add_check(page, "probe", *step.probe, 4);
    } else {
        page.field("probe", "none", 4);
    }
    add_inverse(page, step.inverse);
}

void add_summary(Page& page, const Plan& plan, const std::string& digest_hex) {
    const auto& target = plan.target;
    page.field("digest", grouped(digest_hex));
    page.field("format", "plan schema " + std::to_string(plan.schema_version));
    page.field(
        "runbook", one_line(plan.runbook) + " version " + std::to_string(plan.runbook_version)
    );
    page.field("contract", one_line(plan.runbook_digest));
    page.field("target", quoted(target.target) + ", database " + quoted(target.database));
    page.field(
        "server",
        "PostgreSQL " + std::to_string(target.server_major) +
            (target.in_recovery ? " standby" : " primary") + ", system identifier " +
            one_line(target.system_identifier) + ", timeline " + std::to_string(target.timeline)
    );
    page.field("exclusive on", one_line(plan.lease_key));
    page.field("risk", one_line(plan.risk));
    page.field("reversibility", name(plan.reversibility));
    page.field(
        "needs",
        count_of(static_cast<std::size_t>(std::max(plan.needs.approvals, 0)), "approval") +
            ", each by " + name(plan.needs.assurance) + " or stronger"
    );
    page.field("verdict", one_line(plan.policy_verdict));
    page.field("policy", one_line(plan.policy_digest));
    page.field(
        "expires",
        "undecided after " + std::to_string(plan.pending_lifetime_s) +
            " s; once approved, unless begun within " + std::to_string(plan.approval_lifetime_s) +
            " s"
    );
    page.field("attempt", std::to_string(plan.attempt));
}

} // namespace

std::string render_plan(const Plan& plan, const std::string& digest_hex) {
    Page page;
    page.heading("PLAN");
    add_summary(page, plan, digest_hex);

    // The effect first: it is what a person woken at night must see before anything else.
    page.heading("WHAT IS DONE: " + count_of(plan.steps.size(), "step") + ", in this order");
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
        const auto place = std::to_string(i + 1) + "/" + std::to_string(plan.steps.size());
        page.field("step " + place, one_line(plan.steps[i].id));
        add_step(page, plan.steps[i]);
    }

    page.heading(
        "BEFORE THE FIRST STEP: " + count_of(plan.preconditions.size(), "check") +
        ", all must hold or nothing is done"
    );
    add_checks(page, "check", plan.preconditions);

    const auto& verification = plan.verification;
    page.heading(
        "AFTERWARDS: measured every " + std::to_string(verification.interval_ms) +
        " ms; recovered when all hold for " + std::to_string(verification.hold_ms) + " ms within " +
        std::to_string(verification.deadline_ms) + " ms"
    );
    add_checks(page, "recovery", verification.recovery);
    page.heading(
        "MUST NOT HAPPEN: " + count_of(verification.guardrails.size(), "guardrail") +
        ", one that fails counts as harm"
    );
    add_checks(page, "guardrail", verification.guardrails);
    return page.take();
}

} // namespace interlock::runbooks
