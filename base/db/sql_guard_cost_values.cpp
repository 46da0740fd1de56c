#include "base/db/sql_guard_constants.hpp"
#include "base/db/sql_guard_cost.hpp"
#include "base/db/sql_guard_data.hpp"
#include "base/db/sql_guard_patterns.hpp"
#include "base/db/sql_tree.hpp"
#include "base/limits.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include <nlohmann/json.hpp>

namespace interlock::db {
namespace {

using base::Json;
using constants::node;
using Bound = GuardCost::Bound;
using Names = std::set<std::string, std::less<>>;
namespace limits = base::limits;

constexpr double digits_most = 150'000;  // a numeric has 131,072 before its point, 16,383 behind
constexpr double unnoticed = 1'000;      // bytes of one value that need no sum
constexpr double relation_rows = 10'000; // what a catalog is taken for where text is kept of it

/// The words of a text.
Names words(std::string_view text) {
    Names names;
    while (!text.empty()) {
        const auto end = std::min(text.find(' '), text.size());
        names.emplace(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return names;
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_word(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/// What the numbers in a text come to when they are written out, exponents included.
Bound of_text(const std::string& text) {
    Bound all{.bytes = static_cast<double>(text.size()), .digits = 1, .deep = 0, .data = false};
    bool open = false; // ends with what more digits make an exponent of
    for (std::size_t i = 0; i < text.size();) {
        if (!is_digit(text[i])) {
            const char c = text[i++];
            all.deep += c == '[' || c == '{' || c == '(' ? 1 : 0;
            all.braces = all.braces || c == '{' ||
                         (c == '\\' && i < text.size() &&
                          std::string_view{"xXuU01+"}.find(text[i]) != std::string_view::npos);
            continue;
        }
        const bool word = i > 0 && is_word(text[i - 1]);
        const auto began = i;
        double last = 0;
        const auto digits = [&] {
            for (last = 0; i < text.size() && (is_digit(text[i]) || text[i] == '.'); ++i) {
                last = text[i] == '.' ? 0 : std::min(last * 10 + (text[i] - '0'), digits_most);
                all.run = std::max(all.run, last);
            }
        };
        digits();
        double length = static_cast<double>(i - began);
        if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
            auto next = i + 1;
            next += next < text.size() && (text[next] == '-' || text[next] == '+') ? 1U : 0U;
            open = next == text.size();
            if (next < text.size() && is_digit(text[next])) {
                i = next;
                digits();
                length += last;
                open = i == text.size();
            }
        }
        all.digits += word || (i < text.size() && is_word(text[i])) ? 0 : length;
    }
    all.run = open ? digits_most : all.run;
    return all;
}

Bound small(const std::vector<Bound>& from = {}) {
    Bound result{.bytes = 40, .deep = 0, .data = from.empty()};
    for (const auto& each : from) {
        result.data = result.data || each.data;
    }
    return result;
}

/// All of them in one value.
Bound sum(const std::vector<Bound>& all) {
    Bound result{.bytes = 0, .digits = 0, .deep = 0, .data = false};
    for (const auto& each : all) {
        result.bytes += each.bytes;
        result.digits += each.digits;
        result.run = std::max(result.run, each.run);
        result.value = std::max(result.value, each.value);
        result.deep += each.deep;
        result.data = result.data || each.data;
        result.pure = result.pure && each.pure && !(each.carried && each.braces);
        result.braces = result.braces || each.braces;
    }
    return result;
}

Bound times(Bound each, double count) {
    each.bytes *= count;
    each.digits *= count;
    each.deep *= count;
    each.run = count > 1 && each.run > 0 && !each.data ? digits_most : each.run;
    each.pure = each.pure && !each.braces;
    return each;
}

double numeric_steps(double left, double right) {
    return (left / 4 + 1) * (right / 4 + 1); // PostgreSQL keeps four digits in one
}

std::string name_of(const Json& members, const char* member) {
    return dotted(base::member(members, member)).last;
}

const Json* wrapped(const Json& value) {
    const bool one = value.is_object() && value.size() == 1 && value.begin()->is_object();
    const auto& key = one ? value.begin().key() : std::string{};
    return !key.empty() && key[0] >= 'A' && key[0] <= 'Z' ? &*value.begin() : nullptr;
}

const Names& measures() {
    static const Names names =
        words("array_dims array_length array_lower array_ndims array_position array_upper "
              "ascii bit_count bit_length cardinality char_length character_length count "
              "crc32 crc32c date_part date_trunc extract hashtext hashtextextended "
              "is_normalized json_array_length json_typeof jsonb_array_length "
              "jsonb_contained jsonb_contains jsonb_exists jsonb_exists_all "
              "jsonb_exists_any jsonb_path_exists jsonb_path_match jsonb_typeof length like "
              "md5 notlike num_nonnulls num_nulls numnode octet_length pg_column_size "
              "pg_typeof position regexp_count regexp_instr regexp_like sha224 sha256 "
              "sha384 sha512 sign starts_with strpos to_date to_timestamp ts_rank "
              "ts_rank_cd");
    return names;
}

/// Their price is that of their arguments multiplied.
const Names& comparers() {
    static const Names names =
        words("array_position array_positions array_remove array_replace btrim "
              "is_normalized jsonb_contained jsonb_contains jsonb_delete jsonb_exists_all "
              "jsonb_exists_any like ltrim normalize notlike position regexp_count "
              "regexp_instr regexp_like regexp_match regexp_matches regexp_replace "
              "regexp_split_to_array regexp_split_to_table regexp_substr replace rtrim "
              "split_part string_to_array string_to_table strpos to_ascii translate "
              "ts_delete ts_headline ts_rank ts_rank_cd && @> <@ @@ @@@ ~~ ~~* !~~ !~~* ~ "
              "~* !~ !~* ?| ?&");
    return names;
}

/// A quote, a backslash or a byte becomes two characters.
const Names& escapers() {
    static const Names names =
        words("array_to_json json_array json_build_array json_build_object json_object "
              "json_scalar json_serialize jsonb_build_array jsonb_build_object jsonb_object "
              "quote_ident quote_literal quote_nullable row_to_json to_json to_jsonb");
    return names;
}

/// Many small values out of one text; or text that is no longer the one that was written.
const Names& splitters() {
    static const Names names =
        words("array_agg jsonb_array_elements_text regexp_match regexp_matches "
              "regexp_split_to_array string_to_array ts_parse tsvector_to_array");
    return names;
}

const Names& decoders() {
    static const Names names =
        words("chr convert convert_from decode normalize overlay set_bit set_byte unistr");
    return names;
}

bool is_pattern_user(const std::string& name) {
    return name == "~" || name == "~*" || name == "!~" || name == "!~*" ||
           name.starts_with("regexp_") || name.starts_with("similar_");
}

bool is_path_user(const std::string& name) {
    return name == "@?" || name == "@@" || name.starts_with("jsonb_path_");
}

bool gathers(const std::string& name) {
    return guard_data::collecting_aggregate(name) || name.find("_agg") != std::string::npos ||
           name == "percentile_disc";
}

/// What format() puts together: each place by the argument that it names.
double formatted(const Json& members, const std::vector<Bound>& arguments) {
    const auto* written = base::member(members, "args");
    const auto text = constants::text((*written)[0]).value_or("");
    const double quoted = text.find_first_of("IL") != std::string::npos ? 2 : 1;
    double all = arguments[0].bytes;
    const double widest = sum(arguments).value;
    double longest = 0; // of what a place may take that names none
    for (std::size_t i = 1; i < arguments.size(); ++i) {
        longest = std::max(longest, arguments[i].bytes);
    }
    for (auto from = text.find('%'); from != std::string::npos; from = text.find('%', from + 1)) {
        const auto end = std::min(text.find_first_not_of("-$0123456789", from + 1), text.size());
        const auto spec = text.substr(from + 1, end - from - 1);
        const auto place = spec.find('$');
        const auto named =
            place == std::string::npos ? std::nullopt : constants::number(spec.substr(0, place));
        const auto width = constants::number(spec.substr(place + 1)); // npos + 1 is 0
        const bool given = end < text.size() && text[end] == '*';
        const bool known = named && *named >= 1 && *named < static_cast<double>(arguments.size()) &&
                           !members.contains("func_variadic");
        const double each = known ? arguments[static_cast<std::size_t>(*named)].bytes : longest;
        all += quoted * each + std::abs(width.value_or(0)) + (given ? widest : 0);
    }
    return all;
}

} // namespace

void GuardCost::made(double bytes) {
    bytes_ += std::max(bytes - unnoticed, 0.0);
    if (!(bytes_ <= limits::sql_made_bytes_max)) {
        refuse("dos_memory");
    }
}

void GuardCost::worked(double steps) {
    steps_ += steps;
    if (!(steps_ <= limits::sql_made_bytes_max)) {
        refuse("dos_cpu");
    }
}

/// One of them, nobody knows which.
GuardCost::Bound GuardCost::largest(const std::vector<Bound>& all) {
    Bound result{.bytes = 0, .digits = 0, .deep = 0, .data = false};
    for (const auto& each : all) {
        result.bytes = std::max(result.bytes, each.bytes);
        result.digits = std::max(result.digits, each.digits);
        result.run = std::max(result.run, each.run);
        result.value = std::max(result.value, each.value);
        result.deep = std::max(result.deep, each.deep);
        result.data = result.data || each.data;
        result.pure = result.pure && each.pure;
        result.braces = result.braces || each.braces;
        result.carried = result.carried || each.carried;
    }
    return result;
}

void GuardCost::evaluate(const Json& value, const Scope& scope, const With* with, int depth) {
    std::vector<const Json*> rest{&value};
    std::vector<const Json*> nodes;
    while (!rest.empty()) {
        const auto* next = rest.back();
        rest.pop_back();
        if (const auto* select = node(next, "SelectStmt")) {
            auto table = query(*select, &scope, with, depth + 1);
            queried_.insert_or_assign(next, std::move(table));
            continue;
        }
        if (wrapped(*next) != nullptr) {
            nodes.push_back(next);
        }
        for (const auto& item : *next) {
            if (item.is_structured()) {
                rest.push_back(&item);
            }
        }
    }
    for (auto each = nodes.rbegin(); each != nodes.rend() && found_.empty(); ++each) {
        const auto bound = bound_of((*each)->begin().key(), *wrapped(**each), scope);
        known_.insert_or_assign(*each, bound);
    }
}

GuardCost::Bound GuardCost::of(const Json* value) const {
    const auto found = value ? known_.find(value) : known_.end();
    return found == known_.end() ? Bound{} : found->second;
}

std::vector<GuardCost::Bound> GuardCost::list(const Json* values) const {
    std::vector<Bound> all;
    for (std::size_t i = 0; values != nullptr && values->is_array() && i < values->size(); ++i) {
        all.push_back(of(&(*values)[i]));
    }
    return all;
}

GuardCost::Bound
GuardCost::bound_of(const std::string& type, const Json& members, const Scope& scope) {
    if (type == "A_Const") {
        const auto bound = constant(members);
        if (members.contains("fval") && bound.digits > limits::sql_exponent_max) {
            refuse("dos_cpu");
        }
        return bound;
    }
    if (type == "ColumnRef") {
        return column(members, scope);
    }
    if (type == "FuncCall") {
        return call(members, scope);
    }
    if (type == "A_Expr") {
        return expression(members);
    }
    if (type == "TypeCast") {
        return cast(members);
    }
    if (type == "SubLink") {
        return link(members);
    }
    if (type == "BoolExpr" || type == "NullTest" || type == "BooleanTest") {
        return small();
    }
    std::vector<Bound> inner; // whatever stands in it
    for (const auto& member : members) {
        const auto one = known_.find(&member);
        if (one != known_.end()) {
            inner.push_back(one->second);
        } else if (member.is_array()) {
            const auto many = list(&member);
            inner.insert(inner.end(), many.begin(), many.end());
        }
    }
    if (inner.empty()) {
        return small();
    }
    if (type == "A_ArrayExpr" || type == "RowExpr") {
        auto all = sum(inner);
        all.bytes = 2 * all.bytes + 2 * static_cast<double>(inner.size()); // quoted as text
        all.deep += 1;
        all.braces = true;
        all.pure = largest(inner).pure;
        made(all.bytes);
        return all;
    }
    return type == "List" ? sum(inner) : largest(inner);
}

GuardCost::Bound GuardCost::constant(const Json& members) const {
    Bound bound{.bytes = 10, .digits = 10, .deep = 0, .data = false, .pure = false};
    const auto value = constants::constant_number(sql_, members);
    for (const auto* kind : {"sval", "fval", "bsval"}) {
        if (const auto* text = base::member(members, kind)) {
            bound = of_text(base::string_member(*text, kind).value_or(""));
            bound.pure = std::string_view{kind} == "sval";
        }
    }
    bound.value = std::abs(value.value_or(0));
    bound.run = value && bound.run == 0 ? std::min(bound.value, digits_most) : bound.run;
    return bound;
}

/// What a name stands for, looked for from the inside out.
GuardCost::Bound GuardCost::column(const Json& members, const Scope& scope) const {
    const auto parts = names_in(base::member(members, "fields"));
    const auto name = parts.empty() ? "" : parts.back();
    const auto of_alias = parts.size() > 1 ? parts[parts.size() - 2] : "";
    for (const auto* at = &scope; at != nullptr; at = at->outer) {
        std::vector<Bound> found;
        std::vector<Bound> perhaps; // columns whose names are not known
        for (const auto& item : at->items) {
            if (!of_alias.empty() && item.alias != of_alias) {
                continue;
            }
            for (const auto& [column, bound] : item.table.columns) {
                if (column == name) {
                    found.push_back(bound);
                } else if (column.empty()) {
                    perhaps.push_back(bound);
                }
            }
            if (item.table.rest) {
                perhaps.push_back(*item.table.rest);
            }
            if (of_alias.empty() && found.empty() && item.alias == name) { // a whole row
                std::vector<Bound> cells;
                for (const auto& [column, bound] : item.table.columns) {
                    cells.push_back(bound);
                }
                found.push_back(cells.empty() ? Bound{} : times(sum(cells), 2));
            }
        }
        if (!found.empty()) {
            return largest(found);
        }
        if (!perhaps.empty()) {
            return largest(perhaps);
        }
        if (!of_alias.empty() &&
            std::any_of(at->items.begin(), at->items.end(), [&](const Item& item) {
                return item.alias == of_alias;
            })) {
            break;
        }
    }
    return {};
}

GuardCost::Bound GuardCost::cast(const Json& members) {
    auto bound = of(base::member(members, "arg"));
    const auto* type = base::member(members, "typeName");
    const auto name = type ? name_of(*type, "names") : "";
    const bool list = type != nullptr && type->contains("arrayBounds");
    const auto* sizes = type ? base::member(*type, "typmods") : nullptr;
    const auto size =
        sizes && !sizes->empty() ? constants::evaluate(sql_, &(*sizes)[0]).value_or(1) : 1.0;
    if (name == "char") { // of one byte, from a number
        bound.braces = true;
        bound.pure = false;
    }
    static const Names short_ones =
        words("int2 int4 int8 float4 float8 bool date timestamp timestamptz time interval "
              "uuid oid regclass regproc regtype pg_lsn xid inet");
    if (!list && short_ones.contains(name)) {
        auto result = small({bound});
        result.digits = std::min(bound.digits, 400.0);
        result.value = bound.value;
        result.run = bound.run;
        result.pure = bound.pure && bound.data;
        return result;
    }
    if (name == "numeric" || name == "json" || name == "jsonb" || name == "jsonpath") {
        const auto* arg = base::member(members, "arg");
        const bool written = bound.pure && !bound.data && !bound.carried &&
                             !arg->contains("TypeCast"); // one within one is looked at once
        const auto text = written ? constants::text(*arg) : std::nullopt;
        // Text that functions made of constants may be any number.
        const bool any = !text && !bound.data && (!bound.pure || bound.run >= digits_most);
        const double made_of = any ? bound.run : 0;
        bound.digits = text ? of_text(*text).digits : bound.digits;
        bound.digits =
            std::max(bound.digits, std::max(made_of, name == "numeric" ? bound.bytes : 0));
        bound.bytes = std::max(bound.bytes, bound.digits);
    }
    if (name == "bpchar" || name == "bit" || name == "numeric") {
        bound.bytes = std::max(bound.bytes, size);
        bound.digits = std::max(bound.digits, size);
    }
    if (name == "numeric") {
        bound.digits = std::min(bound.digits, digits_most);
        bound.bytes = bound.digits;
    }
    bound.braces = bound.braces || list;
    made(bound.bytes);
    return bound;
}

GuardCost::Bound
GuardCost::arithmetic(const std::string& name, const Bound& left, const Bound& right) {
    auto result = largest({left, right});
    result.pure = false;
    if (name == "*") {
        result.digits = left.digits + right.digits;
        result.value = left.value * right.value;
        worked(numeric_steps(left.digits, right.digits));
    } else if (name == "^") {
        result.digits = left.digits * std::max(right.value, 1.0);
        result.value = 0;
        worked(numeric_steps(std::min(result.digits, digits_most), result.digits));
    } else if (name == "/" || name == "%") {
        result.digits += 20;
        worked(numeric_steps(left.digits, right.digits));
    } else {
        result.digits += 1;
        result.value = left.value + right.value;
    }
    result.digits = std::min(result.digits, digits_most);
    result.bytes = std::max({result.digits, left.bytes, right.bytes});
    made(result.digits);
    return result;
}

void GuardCost::patterns(const std::string& name, const Bound& pattern) {
    if (is_pattern_user(name) && pattern.braces && !pattern.pure) {
        refuse("dos_regex");
    }
}

/// A JSON path: it multiplies numbers, and goes through all for each of all.
GuardCost::Bound GuardCost::path(const Json* written, const Bound& document, const Bound& query) {
    const auto text = written ? constants::text(*written) : std::nullopt;
    if (!text && !(written != nullptr && query.pure)) {
        refuse("dos_regex");
    }
    const auto facts = patterns::path_facts(text.value_or(""));
    const double digits = std::max(document.digits, query.digits);
    worked(facts.products * numeric_steps(digits, digits));
    worked(std::pow(document.bytes, std::min(facts.wildcards + facts.descents, 2)));
    auto result = document;
    result.bytes = document.bytes * (facts.descents > 0 ? document.deep + 1 : 1);
    result.digits = std::min(2 * digits, digits_most);
    return result;
}

GuardCost::Bound GuardCost::expression(const Json& members) {
    const auto name = name_of(members, "name");
    const auto* first = base::member(members, "lexpr");
    const auto* second = base::member(members, "rexpr");
    const auto left = first ? of(first) : Bound{.bytes = 0, .digits = 0, .deep = 0, .data = false};
    const auto right = of(second);
    made(left.bytes);
    made(right.bytes);
    patterns(name, right);
    if (is_path_user(name) && name != "@@") {
        path(second, left, right);
        return small({left, right});
    }
    if (name == "||") {
        auto all = sum({left, right});
        // Pieces of constants may become one number; see cast() for those that are read whole.
        const bool pieces = !all.data && all.run > 0;
        all.run = pieces ? digits_most : all.run;
        all.digits += all.data && all.run >= digits_most ? all.run : 0;
        made(all.bytes);
        return all;
    }
    if (comparers().contains(name)) {
        worked(std::max(left.bytes, 1.0) * std::max(right.bytes, 1.0));
        auto result = small({left, right});
        result.bytes =
            name == "&&" ? left.bytes + right.bytes : result.bytes; // of queries of words
        return result;
    }
    if (name == "*" || name == "/" || name == "%" || name == "^" || name == "+" || name == "-") {
        auto result = arithmetic(name, left, right);
        const auto taken = constants::evaluate(sql_, second);
        const auto from = taken ? constants::evaluate(sql_, first) : std::nullopt;
        if (name == "/" && taken) {
            result.value = left.value / std::max(std::abs(*taken), 1.0);
        } else if (name == "-" && from && std::isfinite(*from - *taken)) {
            result.value = std::abs(*from - *taken);
        }
        return result;
    }
    static const Names yes_or_no{
        "=",
        "<>",
        "<",
        ">",
        "<=",
        ">=",
        "BETWEEN",
        "NOT BETWEEN",
        "BETWEEN SYMMETRIC",
        "NOT BETWEEN SYMMETRIC"};
    if (yes_or_no.contains(name)) {
        const auto kind = base::string_member(members, "kind").value_or("");
        return kind == "AEXPR_NULLIF" ? left : small({left, right});
    }
    auto result = largest({left, right});
    result.pure = false;
    return result;
}

/// A sub-select within an expression.
GuardCost::Bound GuardCost::link(const Json& members) {
    const auto found = queried_.find(base::member(members, "subselect"));
    const auto kind = base::string_member(members, "subLinkType").value_or("");
    if (found == queried_.end() || kind == "EXISTS_SUBLINK") {
        return small();
    }
    const auto& table = found->second;
    const auto first = table.columns.empty() ? Bound{} : table.columns[0].second;
    patterns(name_of(members, "operName"), first);
    if (kind == "ARRAY_SUBLINK") {
        const bool long_ones = first.bytes > unnoticed && table.relation;
        auto all = times(first, table.rows * (long_ones ? relation_rows : 1));
        all.bytes += 8 * table.rows;
        all.braces = true;
        longest_ = std::max(longest_, first.bytes > unnoticed ? first.bytes : 1);
        made(all.bytes);
        return all;
    }
    return kind == "EXPR_SUBLINK" ? first : small();
}

GuardCost::Bound GuardCost::call(const Json& members, const Scope& scope) {
    const auto* written = base::member(members, "args");
    const Call call{name_of(members, "funcname"), list(written), &members};
    const auto& arguments = call.arguments;
    for (const auto& each : arguments) {
        made(each.bytes);
    }
    if (gathers(call.name)) {
        return gathered(call, scope);
    }
    if (arguments.empty()) {
        return {};
    }
    if (arguments.size() > 1) {
        patterns(call.name, arguments[1]);
    }
    if (call.name.starts_with("similar_")) {
        patterns(call.name, arguments[0]);
        return arguments[0];
    }
    if (is_path_user(call.name) && arguments.size() > 1) {
        const auto result = path(
            &(*written)[1],
            sum({arguments[0], arguments.size() > 2 ? arguments[2] : small({arguments[0]})}),
            arguments[1]
        );
        made(result.bytes);
        return result;
    }
    if (comparers().contains(call.name)) {
        const bool alone = arguments.size() == 1 || call.name == "ts_headline" ||
                           call.name == "normalize" || call.name == "is_normalized";
        const auto all = sum(arguments).bytes;
        const double first = std::max(arguments[0].bytes, 1.0);
        worked(alone ? all * all : first * std::max(arguments[1].bytes, 1.0));
    }
    if (call.name == "power" || call.name == "pow" || call.name == "exp") {
        const auto base = arguments.size() > 1 ? arguments[0] : Bound{.digits = 1};
        return arithmetic("^", base, arguments.back());
    }
    static const Names divides = words("mod div gcd lcm sqrt cbrt ln log log10");
    if (divides.contains(call.name)) {
        auto result = arithmetic("*", arguments[0], arguments.back());
        worked(3 * numeric_steps(arguments[0].digits, arguments.back().digits));
        return result;
    }
    return text_call(call);
}

GuardCost::Bound GuardCost::text_call(const Call& call) {
    const auto& name = call.name;
    const auto& arguments = call.arguments;
    const auto at = [&](std::size_t i) {
        return i < arguments.size() ? arguments[i] : Bound{.bytes = 0, .digits = 0, .data = false};
    };
    auto result = sum(arguments);
    const bool lone = arguments.size() == 1 && at(0).pure && at(0).data && !at(0).braces;
    result.pure = name == "concat" ? result.pure : lone;
    result.carried = false;
    result.digits =
        name == "concat" || result.data ? result.digits : std::max(result.digits, result.run);
    result.braces = result.braces || splitters().contains(name) || decoders().contains(name);
    const double separator = std::max(at(0).bytes, 1.0);
    if (measures().contains(name)) {
        const bool counts = name.find("length") != std::string::npos || name == "cardinality" ||
                            name == "position" || name == "strpos";
        const double length = counts ? result.bytes : 0;
        result = small(arguments);
        result.value = length;
        return result;
    }
    if (name == "repeat") {
        const double unknown = at(1).data ? 1 : limits::sql_text_length_max;
        result = times(at(0), at(1).value > 0 ? at(1).value : unknown);
        result.pure = false;
    } else if (name == "lpad" || name == "rpad") {
        result.bytes = std::max(at(1).value, 100.0);
        result.digits = result.data ? result.digits : result.bytes;
        result.deep = result.data ? result.deep : result.bytes;
    } else if (name == "to_char") {
        result.bytes = 12 * at(1).bytes + at(0).digits;
        result.run = 0;
    } else if (name == "array_fill") {
        result = times(at(0), limits::sql_collected_rows_max);
    } else if (name == "factorial") {
        result.digits = limits::sql_exponent_max;
    } else if (name == "translate") {
        result.bytes = at(0).bytes * (at(2).data ? 4 : 1); // one character for another
    } else if (name == "replace" || name == "regexp_replace") {
        const bool known = name == "replace" && at(1).pure && !at(1).data && !at(1).carried;
        const double taken = known ? std::max(at(1).bytes, 1.0) : 1;
        const double ratio = std::max(at(2).bytes / taken, 1.0);
        result.bytes = (at(0).bytes + 1) * ratio;
        result.deep *= ratio;
    } else if (name == "array_to_string") {
        result = times(at(0), std::max(at(1).bytes + at(2).bytes, 1.0));
        result.braces = at(0).braces || at(1).braces;
        result.pure = false;
    } else if (name == "concat_ws") {
        const bool variadic = call.members->contains("func_variadic");
        const double places = variadic ? at(1).bytes : static_cast<double>(arguments.size());
        result.bytes = places * separator + result.bytes;
    } else if (name == "format") {
        result.bytes = formatted(*call.members, arguments);
    } else if (name == "encode") {
        result.bytes *= 2;
    } else if (escapers().contains(name)) {
        result.bytes = 2 * result.bytes + 2;
        result.deep += 1;
    } else if (splitters().contains(name)) {
        result.bytes = result.data ? result.bytes : 16 * result.bytes;
    } else if (name == "jsonb_pretty") {
        result.bytes *= 1 + 4 * result.deep;
    } else if (name == "round" || name == "trunc") {
        result = at(0);
        result.digits = std::min(at(0).digits + at(1).value, digits_most);
        result.bytes = std::max(result.bytes, result.digits);
    } else if (name == "generate_series") {
        result = largest(arguments);
    } else if (name == "concat") {
        result.digits += result.data && result.run < digits_most ? 0 : result.run;
    }
    made(result.bytes);
    return result;
}

/// All rows of a query in one value.
GuardCost::Bound GuardCost::gathered(const Call& call, const Scope& scope) {
    auto each = sum(call.arguments);
    const auto within = list(base::member(*call.members, "agg_order"));
    if (call.name == "percentile_disc") { // one of the sorted values for each asked place
        auto all = within.empty() ? Bound{} : largest(within);
        all.bytes *= each.bytes;
        made(all.bytes);
        return all;
    }
    longest_ = std::max(longest_, each.bytes > unnoticed ? each.bytes : 1);
    const bool long_ones = each.bytes > unnoticed && scope.relation;
    auto all = times(each, scope.rows * (long_ones ? relation_rows : 1));
    all.bytes += 8 * scope.rows;
    all.deep = each.deep + 1;
    all.braces = each.braces || call.name != "string_agg";
    all.pure = false;
    all.digits = each.data ? each.digits : all.digits;
    made(all.bytes);
    return all;
}

} // namespace interlock::db
