#include "runbooks/statement_template.hpp"

#include <algorithm>

namespace interlock::runbooks {
namespace {

constexpr std::string_view name_characters = "abcdefghijklmnopqrstuvwxyz0123456789_";

base::Error bad_template(const std::string& problem) {
    return {
        base::Errc::invalid_input,
        "A statement of the contract " + problem + ".",
        "Write plain SQL on one statement, with {name} where a parameter belongs.",
    };
}

/// A piece of a template: text as it stands, or the name of a parameter.
struct Piece {
    bool is_name = false;
    std::string text;
};

/// PostgreSQL reads `a$1` as one identifier, so a placeholder must not follow a word.
bool continues_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// What may not stand outside quotes at `at`, or "".
std::string forbidden_at(std::string_view sql, std::size_t at) {
    const auto two = sql.substr(at, 2);
    if (two == "--" || two == "/*") {
        return "holds a comment";
    }
    switch (sql[at]) {
    case '$':
        return "holds a $, which only binding may write";
    case ';':
        return "holds a semicolon";
    case '}':
        return "closes a brace that was not opened";
    default:
        return {};
    }
}

base::Result<std::vector<Piece>> split(std::string_view sql) {
    std::vector<Piece> pieces;
    std::string text;
    char quote = '\0'; // the open quote, if any; a doubled quote closes and opens again
    for (std::size_t at = 0; at < sql.size(); ++at) {
        const char c = sql[at];
        if ((c < ' ' && c != '\n') || c > '~' || c == '\\') {
            return bad_template("holds a backslash or a character that is not printable ASCII");
        }
        if (quote != '\0') {
            if (c == '{' || c == '}' || c == '$') {
                return bad_template("holds a brace or $ inside quotes");
            }
            quote = c == quote ? '\0' : quote;
        } else if (c == '\'' || c == '"') {
            quote = c;
        } else if (c == '{') {
            const auto end = std::min(sql.find_first_not_of(name_characters, at + 1), sql.size());
            if (end == at + 1 || end == sql.size() || sql[end] != '}') {
                return bad_template("holds a brace that does not enclose a parameter's name");
            }
            if (at > 0 && continues_word(sql[at - 1])) {
                return bad_template("has a name in braces right after a word");
            }
            pieces.push_back({false, std::move(text)});
            pieces.push_back({true, std::string(sql.substr(at + 1, end - at - 1))});
            text.clear();
            at = end;
            continue;
        } else if (const auto problem = forbidden_at(sql, at); !problem.empty()) {
            return bad_template(problem);
        }
        text.push_back(c);
    }
    if (quote != '\0') {
        return bad_template("leaves a quote open");
    }
    pieces.push_back({false, std::move(text)});
    return pieces;
}

} // namespace

base::Result<std::vector<std::string>> template_names(std::string_view sql) {
    INTERLOCK_TRY(const auto pieces, split(sql));
    std::vector<std::string> names;
    for (const auto& piece : pieces) {
        if (piece.is_name && std::find(names.begin(), names.end(), piece.text) == names.end()) {
            names.push_back(piece.text);
        }
    }
    return names;
}

base::Result<BoundStatement>
bind_template(std::string_view sql, const std::map<std::string, BoundParameter>& values) {
    INTERLOCK_TRY(const auto pieces, split(sql));
    BoundStatement out;
    for (const auto& piece : pieces) {
        if (!piece.is_name) {
            out.sql += piece.text;
            continue;
        }
        const auto value = values.find(piece.text);
        if (value == values.end()) {
            return bad_template("names {" + piece.text + "}, which is not a parameter");
        }
        auto place = std::find(out.parameters.begin(), out.parameters.end(), value->second);
        if (place == out.parameters.end()) {
            out.parameters.push_back(value->second);
            place = std::prev(out.parameters.end());
        }
        const auto number = std::distance(out.parameters.begin(), place) + 1;
        // The type is named in full so that no other schema's type of that name can stand in.
        out.sql += "$" + std::to_string(number) + "::pg_catalog." + value->second.type;
    }
    return out;
}

} // namespace interlock::runbooks
