#include "telemetry/redaction.hpp"

#include "base/db/sql_text.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "telemetry/redaction_rules.hpp"
#include "telemetry/sql_literal.hpp"

#include <algorithm>
#include <array>
#include <bitset>
#include <optional>

namespace interlock::telemetry {
namespace {

namespace limits = base::limits;

constexpr std::string_view tangled_label = "[redacted:tangled]";
constexpr std::string_view call_label = "[redacted:function-secret]";
constexpr std::size_t work_floor = 4'096; // short texts may be looked at many times

unsigned char byte_of(char c) {
    return static_cast<unsigned char>(c);
}

unsigned char lower(unsigned char byte) {
    return byte >= 'A' && byte <= 'Z' ? static_cast<unsigned char>(byte - 'A' + 'a') : byte;
}

bool is_digit(unsigned char byte) {
    return byte >= '0' && byte <= '9';
}

/// Which rules look at which two bytes. A single digit is no card and no address. Made once for
/// each kind of text.
class Dispatch {
public:
    struct Entry {
        const RedactionRule* rule;
        std::string_view trigger;
    };

    Dispatch(bool masked_sql, bool with_optional) {
        for (const RedactionRule& rule : redaction_rules()) {
            if ((masked_sql && !rule.in_sql) || (rule.optional && !with_optional)) {
                continue;
            }
            for (const std::string_view trigger : rule.triggers) {
                const unsigned char first = byte_of(trigger[0]);
                entries_[first].push_back({&rule, trigger});
                for (unsigned second = 0; second < 256; ++second) {
                    const auto byte = static_cast<unsigned char>(second);
                    const bool digits = trigger.size() == 1 && is_digit(first);
                    if (digits ? is_digit(byte) || (rule.optional && byte == '.')
                               : trigger.size() == 1 || lower(byte) == byte_of(trigger[1])) {
                        mark(first, byte);
                    }
                }
            }
        }
        for (unsigned second = 0; second < 256; ++second) {
            mark('[', static_cast<unsigned char>(second)); // a label, passed over as a whole
            if (masked_sql) {
                mark('"', static_cast<unsigned char>(second)); // a name begins or ends
            }
        }
    }

    bool looks(unsigned char first, unsigned char second) const { return pairs_[first][second]; }
    const std::vector<Entry>& entries(unsigned char first) const { return entries_[lower(first)]; }

private:
    void mark(unsigned char first, unsigned char second) {
        pairs_[first].set(second);
        if (first >= 'a' && first <= 'z') {
            pairs_[static_cast<std::size_t>(first) - 'a' + 'A'].set(second);
        }
    }

    std::array<std::bitset<256>, 256> pairs_{};
    std::array<std::vector<Entry>, 256> entries_{};
};

const Dispatch& dispatch_for(bool masked_sql, bool ipv4) {
    static const Dispatch text{false, false};
    static const Dispatch sql{true, false};
    static const Dispatch text_and_addresses{false, true};
    static const Dispatch sql_and_addresses{true, true};
    return masked_sql ? (ipv4 ? sql_and_addresses : sql) : (ipv4 ? text_and_addresses : text);
}

bool begins_with(std::string_view text, std::size_t at, std::string_view trigger) {
    if (text.size() - at < trigger.size()) {
        return false;
    }
    for (std::size_t i = 1; i < trigger.size(); ++i) {
        if (lower(byte_of(text[at + i])) != byte_of(trigger[i])) {
            return false;
        }
    }
    return true;
}

class Pass {
public:
    Pass(std::string_view text, bool masked_sql, bool ipv4, bool nested = false)
        : reading_{.text = text, .work = 0, .bare_is_code = masked_sql, .nested = nested},
          dispatch_{dispatch_for(masked_sql, ipv4)},
          masked_sql_{masked_sql} {}

    /// Nothing when the text stays as it is.
    std::optional<std::string> run() {
        const std::string_view text = reading_.text;
        const std::size_t work_max = limits::redaction_work_per_byte * text.size() + work_floor;
        std::size_t at = 0;
        while (at < text.size()) {
            const unsigned char second = at + 1 < text.size() ? byte_of(text[at + 1]) : 0;
            if (!dispatch_.looks(byte_of(text[at]), second) && call_depth_ == 0) {
                ++at;
                continue;
            }
            at = step(at);
            if (reading_.work > work_max) {
                replace({at, text.size()}, tangled_label);
                break;
            }
        }
        if (copied_ == 0) {
            return std::nullopt;
        }
        out_ += text.substr(std::min(copied_, text.size()));
        return std::move(out_);
    }

private:
    /// Looks at one position; the next to look at.
    std::size_t step(std::size_t at) {
        if (const std::string_view label = label_at(reading_.text, at); !label.empty()) {
            return at + label.size();
        }
        if (call_depth_ > 0) {
            if (const std::size_t next = step_in_call(at); next > at) {
                return next;
            }
        }
        for (const Dispatch::Entry& entry : dispatch_.entries(byte_of(reading_.text[at]))) {
            if (!begins_with(reading_.text, at, entry.trigger)) {
                continue;
            }
            const auto match = entry.rule->find(reading_, at, at + entry.trigger.size());
            if (!match) {
                continue;
            }
            if (match->opens_call) {
                ++call_depth_;
                return match->to;
            }
            replace(*match, entry.rule->label);
            pass_quotes(at, std::max(match->to, at + 1));
            return std::max(match->to, at + 1);
        }
        pass_quotes(at, at + 1);
        return at + 1;
    }

    /// In masked SQL double quotes enclose names, and what stands in a name is text again.
    void pass_quotes(std::size_t from, std::size_t to) {
        const std::string_view passed = reading_.text.substr(from, to - from);
        if (masked_sql_ && std::count(passed.begin(), passed.end(), '"') % 2 == 1) {
            reading_.bare_is_code = !reading_.bare_is_code;
        }
    }

    /// In the arguments of a function that takes a key: every literal goes. `at` if there is none.
    std::size_t step_in_call(std::size_t at) {
        const char c = reading_.text[at];
        const unsigned char letter = lower(byte_of(c));
        const bool begins_word = at == 0 || !is_word_character(reading_.text[at - 1]);
        const bool prefix = begins_word && (letter == 'e' || letter == 'u');
        if (c == '(') {
            ++call_depth_;
        } else if (c == ')') {
            --call_depth_;
        } else if (c == '\'' || c == '$' || prefix) {
            const LiteralChain chain = read_literals(reading_.text, at, Backslash::plain);
            reading_.work += chain.read;
            if (chain.pieces > 0) {
                replace({at, chain.end}, call_label);
                return chain.end;
            }
        }
        return at;
    }

    void replace(const Match& match, std::string_view label) {
        const std::size_t from = std::max(match.from, copied_);
        if (out_.empty()) {
            out_.reserve(reading_.text.size() + label.size());
        }
        out_ += reading_.text.substr(copied_, from - copied_);
        out_ += label;
        copied_ = match.to;
    }

    Reading reading_;
    const Dispatch& dispatch_;
    const bool masked_sql_;
    std::string out_;
    std::size_t copied_ = 0; // bytes of the text that are dealt with
    int call_depth_ = 0;
};

/// A label may give its neighbour the boundary that a rule asks for: looked at again until nothing
/// changes. Each round turns text into labels, so that hardly ever more than two are needed.
void settle(std::string& text, bool masked_sql, bool ipv4) {
    constexpr int rounds_max = 8;
    for (int round = 0; round < rounds_max; ++round) {
        auto shown = Pass{text, masked_sql, ipv4}.run();
        if (!shown) {
            return;
        }
        text = std::move(*shown);
    }
    text = tangled_label;
}

} // namespace

std::string redact(std::string_view text, RedactionOptions options) {
    std::string out{text};
    settle(out, false, options.ipv4);
    return out;
}

void redact_in(std::string& text) {
    settle(text, false, false);
}

void redact_masked_sql_in(std::string& masked) {
    settle(masked, true, false);
}

bool holds_secret(std::string_view decoded) {
    return Pass{decoded, false, false, /*nested=*/true}.run().has_value();
}

std::string safe_text(std::string_view hostile) {
    std::string out = base::sanitize(hostile);
    redact_in(out);
    return out;
}

std::string safe_sql(std::string_view sql) {
    std::string out = db::mask_literals(sql);
    redact_masked_sql_in(out);
    return out;
}

std::string redact_log_field(std::string_view key, std::string_view value) {
    for (const std::string_view who :
         {"subject", "actor", "approver", "requester", "identity", "person"}) {
        if (key == who) {
            return std::string{value};
        }
    }
    return redact(value);
}

std::vector<std::string_view> redaction_rule_names() {
    std::vector<std::string_view> names;
    for (const RedactionRule& rule : redaction_rules()) {
        names.push_back(rule.name);
    }
    return names;
}

} // namespace interlock::telemetry
