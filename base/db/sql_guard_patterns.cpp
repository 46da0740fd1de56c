#include "base/db/sql_guard_patterns.hpp"

#include "base/db/sql_guard_constants.hpp"
#include "base/db/sql_guard_data.hpp"
#include "base/db/sql_tree.hpp"
#include "base/limits.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace interlock::db::patterns {
namespace {

using base::Json;
using constants::node;
namespace limits = base::limits;

/// What a pattern unrolls to: counted repetitions are written out when it is compiled, nested ones
/// multiply, and those beside each other add up.
class PatternSize {
public:
    explicit PatternSize(std::string_view pattern) : pattern_(pattern) {}

    double states() {
        std::vector<double> open{0}; // for each bracket: what stands in it so far
        double last = 0;             // of what stands in front of a repetition
        const auto atom = [&](double size) {
            last = size;
            open.back() += size;
        };
        for (at_ = 0; at_ < pattern_.size(); ++at_) {
            const char c = pattern_[at_];
            if (c == '\\') {
                ++at_;
                atom(1);
            } else if (c == '[') {
                skip_set();
                atom(1);
            } else if (c == '(') {
                open.push_back(0);
                last = 0;
            } else if (c == ')' && open.size() > 1) {
                const double within = std::max(open.back(), 1.0);
                open.pop_back();
                atom(within);
            } else if (c == '{') {
                const double times = count();
                repeats_ = repeats_ || times > 1;
                open.back() += last * (times - 1);
                last *= times;
            } else {
                atom(1);
            }
        }
        double all = 0;
        for (const double each : open) {
            all += each;
        }
        return repeats_ ? all : 0;
    }

private:
    void skip_set() {
        const auto first = pattern_.find_first_not_of('^', at_ + 1);
        const auto end = first == std::string_view::npos ? first : pattern_.find(']', first + 1);
        at_ = std::min(end, pattern_.size());
    }
    double count() {
        const auto end = pattern_.find('}', at_);
        const auto within = pattern_.substr(at_ + 1, end - at_ - 1);
        if (end == std::string_view::npos || within.empty() ||
            within.find_first_not_of("0123456789,") != std::string_view::npos) {
            return 1;
        }
        at_ = end;
        const auto comma = within.find(',');
        const auto most = comma == std::string_view::npos || comma + 1 == within.size()
                              ? within.substr(0, comma)
                              : within.substr(comma + 1);
        return std::max(1.0, constants::number(std::string{most}).value_or(1));
    }

    std::string_view pattern_;
    std::size_t at_ = 0;
    bool repeats_ = false;
};

/// White space, which the x flag lets stand anywhere, and comments.
std::string squeezed(std::string_view text) {
    std::string all;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto rest = text.substr(i);
        const auto end = rest.starts_with("(?#")  ? rest.find(')')
                         : rest.starts_with("/*") ? rest.find("*/", 2)
                         : rest.starts_with('#')  ? rest.find('\n')
                                                  : std::string_view::npos;
        if (end != std::string_view::npos) {
            i += end + (rest.starts_with("/*") ? 1 : 0);
        } else if (std::string_view{" \t\r\n\f\v"}.find(text[i]) == std::string_view::npos) {
            all += text[i];
        }
    }
    return all;
}

/// What matched must match again, however it was parted: tried in every way.
bool refers_back(std::string_view text) {
    bool nested = false;
    bool back = false;
    for (std::size_t i = 0; i + 1 < text.size(); ++i) {
        const auto repeats = [](char c) { return c == '*' || c == '+' || c == '}' || c == '{'; };
        nested = nested || (repeats(text[i]) && text[i + 1] == ')' && i + 2 < text.size() &&
                            repeats(text[i + 2]));
        back = back || (text[i] == '\\' && text[i + 1] >= '1' && text[i + 1] <= '9');
    }
    return nested && back;
}

bool joins_texts(const Json& value) {
    const auto* expression = node(&value, "A_Expr");
    const auto name =
        expression ? dotted(base::member(*expression, "name")).last : constants::called(value);
    return name == "||" || guard_data::joins_text(name);
}

} // namespace

double states(std::string_view pattern) {
    if (pattern.find('{') == std::string_view::npos) {
        return 0;
    }
    return std::max(PatternSize{pattern}.states(), PatternSize{squeezed(pattern)}.states());
}

PathFacts path_facts(std::string_view path) {
    const auto text = squeezed(path);
    PathFacts facts;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool star = text[i] == '*';
        const bool descends = star && i > 1 && text[i - 1] == '*' && text[i - 2] == '.';
        facts.wildcards += star && !descends ? 1 : 0;
        facts.descents += descends ? 1 : 0;
        facts.products += star || text[i] == '/' || text[i] == '%' ? 1 : 0;
    }
    return facts;
}

bool costly(const Json& statement) {
    struct Piece {
        const Json* value;
        bool joined; // what stands around it was looked at as one text
    };
    double all = 0;
    const auto look = [&](const std::string& text) {
        all += states(text);
        const int descents = text.find("**") == std::string::npos ? 0 : path_facts(text).descents;
        return refers_back(text) || refers_back(squeezed(text)) || descents > 1 ||
               all >= limits::sql_pattern_repeats_max;
    };
    std::vector<Piece> rest{{&statement, false}};
    while (!rest.empty()) {
        const auto [value, joined] = rest.back();
        rest.pop_back();
        if (const auto* constant = node(value, "A_Const")) {
            const auto* text = base::member(*constant, "sval");
            if (text != nullptr && !joined &&
                look(base::string_member(*text, "sval").value_or(""))) {
                return true;
            }
            continue;
        }
        const bool joins = value->is_object() && joins_texts(*value);
        if (joins && !joined && look(constants::texts_in(*value))) {
            return true;
        }
        const bool expression =
            value->is_object() && (value->contains("A_Expr") || value->contains("FuncCall"));
        for (const auto& item : *value) {
            if (item.is_structured()) {
                rest.push_back({&item, expression ? joins : joined});
            }
        }
    }
    return false;
}

} // namespace interlock::db::patterns
