#include "base/db/sql_guard_weights.hpp"

#include "base/db/sql_guard_constants.hpp"
#include "base/db/sql_guard_data.hpp"
#include "base/db/sql_guard_steps.hpp"
#include "base/db/sql_tree.hpp"
#include "base/limits.hpp"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

namespace interlock::db {
namespace {

using base::Json;
using constants::node;
namespace limits = base::limits;

constexpr int depth_max = 48;                // queries in queries; real ones stay below 10
constexpr int nested_max = 24;               // calls in calls that are looked at piece by piece
constexpr std::size_t columns_max = 1'664;   // PostgreSQL's own: a query with more is an error
constexpr int rounds_max = 24;               // of a recursion; doubling shows by then
constexpr double all_columns_times_max = 10; // of the limit of one column

bool one_of(const char* names, const std::string& name) {
    return !name.empty() &&
           std::string_view{names}.find(" " + name + " ") != std::string_view::npos;
}

/// Functions that write quotes or digits around what they are given: it can double.
bool escapes(const std::string& name) {
    return one_of(
        " quote_literal quote_ident quote_nullable encode to_json to_jsonb array_to_json"
        " row_to_json json_build_array json_build_object jsonb_build_array jsonb_build_object"
        " json_object jsonb_object string_to_array regexp_split_to_array to_char jsonb_pretty ",
        name
    );
}

/// Functions whose result is a number, a moment, or of a fixed length.
bool measures(const std::string& name) {
    return one_of(
        " length char_length character_length octet_length bit_length position strpos ascii abs"
        " mod gcd lcm div floor ceil ceiling round trunc sqrt power pow exp ln log sign random"
        " date_part extract date_trunc date_bin age now array_length array_upper array_lower"
        " cardinality array_position array_positions width_bucket starts_with md5 sha256 hashtext"
        " to_date to_timestamp make_date make_interval count sum avg row_number rank"
        " regexp_count regexp_instr jsonb_typeof json_typeof json_array_length"
        " jsonb_array_length num_nulls num_nonnulls ",
        name
    );
}

/// Functions that give a part of their first argument, whatever the others are.
bool shortens(const std::string& name) {
    return one_of(
        " substr substring left right ltrim rtrim btrim split_part regexp_substr trim_array"
        " json_extract_path json_extract_path_text jsonb_extract_path jsonb_extract_path_text"
        " regexp_match regexp_matches array_remove ",
        name
    );
}

/// Operators that put both sides together.
bool joins(const std::string& name) {
    return name == "||" || name == "&&" || name == "<->";
}

const Json* argument(const Json& call, std::size_t place) {
    const auto* list = base::member(call, "args");
    return list != nullptr && list->is_array() && place < list->size() ? &(*list)[place] : nullptr;
}

/// How often a template writes one argument, and whether it quotes it.
double template_factor(const Json* value) {
    const auto text = value ? constants::text(*value) : std::nullopt;
    if (!text) {
        return 2;
    }
    const auto placed = static_cast<double>(std::count(text->begin(), text->end(), '$'));
    const bool quotes =
        text->find('L') != std::string::npos || text->find('I') != std::string::npos;
    return std::max(1.0, placed) * (quotes ? 2 : 1);
}

/// How many times longer a replacement is than what it stands for.
double replacement_factor(const std::string& name, const Json& call) {
    const auto* old = argument(call, 1);
    const auto* put = argument(call, 2);
    const auto from = old ? constants::text(*old) : std::nullopt;
    const auto to = put ? constants::text(*put) : std::nullopt;
    if (!from || !to) {
        return 2;
    }
    if (name == "replace") {
        return std::max(
            1.0,
            static_cast<double>(to->size()) /
                static_cast<double>(std::max<std::size_t>(1, from->size()))
        );
    }
    const auto back = static_cast<double>(std::count(to->begin(), to->end(), '\\'));
    const auto* flags = argument(call, 3);
    const auto written = flags ? constants::text(*flags) : std::nullopt;
    const bool all = flags != nullptr && (!written || written->find('g') != std::string::npos);
    return std::max({1.0, back, all ? static_cast<double>(to->size()) : 1.0});
}

std::string alias_of(const Json& members, std::string otherwise) {
    const auto* alias = base::member(members, "alias");
    return alias ? base::string_member(*alias, "aliasname").value_or("") : std::move(otherwise);
}

bool is_star(const Json* value) {
    const auto* column = node(value, "ColumnRef");
    const auto* fields = column ? base::member(*column, "fields") : nullptr;
    return fields != nullptr && !fields->empty() && fields->back().contains("A_Star");
}

} // namespace

std::string_view GuardWeights::judge(const Json& statement) {
    const auto* explain = node(&statement, "ExplainStmt");
    const auto* asked = explain ? base::member(*explain, "query") : &statement;
    if (const auto* select = node(asked, "SelectStmt")) {
        query(*select, {});
    }
    return found_;
}

bool GuardWeights::stopped() const {
    return !found_.empty() || GuardSteps::spent();
}

void GuardWeights::check(double weight) {
    if (weight > limits::sql_column_weight_max) {
        refuse("dos_memory");
    }
}

GuardWeights::Output GuardWeights::query(const Json& select, Place place) {
    if (++place.depth > depth_max) {
        refuse("dos_parser");
    }
    if (stopped()) {
        return {};
    }
    if (const auto* with = base::member(select, "withClause")) {
        place.queries = open_with(*with, place);
    }
    return chain(select, place);
}

/// UNION and the like: a column is as heavy as the heaviest of its place.
GuardWeights::Output GuardWeights::chain(const Json& select, const Place& place) {
    std::vector<Output> arms;
    const auto* next = &select;
    while (next->contains("larg") && next->contains("rarg")) {
        arms.push_back(query((*next)["rarg"], place));
        next = &(*next)["larg"];
        if (next->contains("withClause")) {
            break;
        }
    }
    auto all = next != &select && next->contains("withClause") ? query(*next, place)
                                                               : single(*next, place);
    for (const auto& arm : arms) {
        merge(all, arm);
    }
    return all;
}

void GuardWeights::merge(Output& output, const Output& other) {
    const bool alike =
        output.ordered && other.ordered && output.columns.size() == other.columns.size();
    const auto most = std::max(heaviest(output), heaviest(other));
    for (std::size_t i = 0; i < output.columns.size(); ++i) {
        auto& weight = output.columns[i].second;
        weight = alike ? std::max(weight, other.columns[i].second) : most;
    }
    output.others = alike ? std::max(output.others, other.others) : most;
}

double GuardWeights::heaviest(const Output& output) {
    double most = output.others;
    for (const auto& [name, weight] : output.columns) {
        most = std::max(most, weight);
    }
    return most;
}

double GuardWeights::sum(const Output& output) {
    double all = output.others;
    for (const auto& [name, weight] : output.columns) {
        all += weight;
    }
    return all;
}

GuardWeights::Query* GuardWeights::open_with(const Json& with, const Place& place) {
    const auto* list = base::member(with, "ctes");
    const bool recursive = base::boolean_member(with, "recursive").value_or(false);
    auto* last = place.queries;
    std::vector<Query*> opened;
    for (std::size_t i = 0; list != nullptr && i < list->size() && !stopped(); ++i) {
        const auto* members = node(&(*list)[i], "CommonTableExpr");
        if (members == nullptr) {
            continue;
        }
        auto& query = queries_.emplace_back();
        query.name = base::string_member(*members, "ctename").value_or("");
        query.members = members;
        query.outer = last;
        query.sees = last;
        query.scope = place.scope;
        query.recursive = recursive;
        last = &query;
        opened.push_back(&query);
    }
    for (auto* query : opened) {
        query->sees = recursive ? last : query->sees; // also those behind it
    }
    for (auto* query : opened) {
        define(*query, place.depth);
    }
    return last;
}

void GuardWeights::define(Query& query, int depth) {
    const auto* select = node(base::member(*query.members, "ctequery"), "SelectStmt");
    if (query.state != Query::State::pending || select == nullptr) {
        return;
    }
    query.state = Query::State::running;
    query.lengths = lengths_;
    const Place inner{query.scope, query.sees, depth + 1};
    const auto rename = [&] {
        const auto names = names_in(base::member(*query.members, "aliascolnames"));
        const auto most = heaviest(query.output);
        for (std::size_t i = 0; i < names.size(); ++i) {
            const bool placed = query.output.ordered && i < query.output.columns.size();
            const auto weight = placed ? query.output.columns[i].second : most;
            if (i < query.output.columns.size()) {
                query.output.columns[i] = {names[i], weight};
            } else {
                query.output.columns.emplace_back(names[i], weight);
            }
        }
    };
    const auto* step = base::member(*select, "rarg");
    const auto names_itself = [&](const std::string& type, const Json& members) {
        return type == "RangeVar" && base::string_member(members, "relname") == query.name;
    };
    if (query.recursive && step != nullptr && select->contains("larg") &&
        constants::any_node(*step, names_itself)) {
        query.output = this->query((*select)["larg"], inner);
        rename();
        this->query(*step, inner);
        repeat(query, *step, inner);
    } else {
        query.output = this->query(*select, inner);
        rename();
    }
    query.state = Query::State::done;
}

/// A recursion is as many queries in queries as it takes steps.
void GuardWeights::repeat(Query& query, const Json& step, const Place& place) {
    if (lengths_ || stopped()) {
        return;
    }
    const auto outside = query.output;
    lengths_ = true;
    query.lengths = true;
    for (auto& [name, weight] : query.output.columns) {
        weight = 1;
    }
    query.output.others = query.output.ordered ? 0 : 1;
    for (int round = 0; round < rounds_max && !stopped(); ++round) {
        const auto next = this->query(step, place);
        auto made = query.output;
        const bool alike =
            made.ordered && next.ordered && made.columns.size() == next.columns.size();
        const auto most = heaviest(next);
        for (std::size_t i = 0; i < made.columns.size(); ++i) {
            made.columns[i].second = alike ? next.columns[i].second : most;
        }
        made.others = made.others > 0 ? most : 0;
        if (made.columns == query.output.columns && made.others == query.output.others) {
            break; // it stays as long as it is
        }
        query.output = std::move(made);
    }
    lengths_ = false;
    query.lengths = false;
    query.output = outside;
}

GuardWeights::Output GuardWeights::values(const Json& lists, const Place& place) {
    Output all;
    for (const auto& row : lists) {
        const auto* list = node(&row, "List");
        const auto* items = list ? base::member(*list, "items") : nullptr;
        for (std::size_t i = 0; items != nullptr && i < items->size() && !stopped(); ++i) {
            if (i >= all.columns.size()) {
                all.columns.emplace_back("column" + std::to_string(i + 1), base_weight());
            }
            auto& weight = all.columns[i].second;
            weight = std::max(weight, weigh((*items)[i], place));
            check(weight);
        }
    }
    return all;
}

GuardWeights::Output GuardWeights::single(const Json& select, const Place& place) {
    std::vector<Item> items;
    const Scope scope{&items, place.scope};
    const Place inner{&scope, place.queries, place.depth};
    if (const auto* list = base::member(select, "fromClause")) {
        for (const auto& each : *list) {
            item(each, items, inner);
        }
    }
    if (const auto* lists = base::member(select, "valuesLists")) {
        return values(*lists, inner);
    }
    double all = 0;
    Output output;
    const auto* targets = base::member(select, "targetList");
    for (std::size_t i = 0; targets != nullptr && i < targets->size() && !stopped(); ++i) {
        const auto* target = node(&(*targets)[i], "ResTarget");
        const auto* value = target ? base::member(*target, "val") : nullptr;
        if (value == nullptr) {
            continue;
        }
        const auto* column = node(value, "ColumnRef");
        const auto names =
            column ? names_in(base::member(*column, "fields")) : std::vector<std::string>{};
        if (is_star(value)) {
            for (const auto& each : items) {
                if (!names.empty() && each.alias != names.back()) {
                    continue;
                }
                const auto& of = each.output;
                GuardSteps::take(of.columns.size());
                output.columns.insert(output.columns.end(), of.columns.begin(), of.columns.end());
                output.ordered = output.ordered && of.ordered && of.others == 0;
                output.others = std::max(output.others, of.others);
            }
        } else {
            const auto weight = std::max(weigh(*value, inner), base_weight());
            const auto name = base::string_member(*target, "name");
            output.columns.emplace_back(
                name            ? *name
                : names.empty() ? std::string{}
                                : names.back(),
                weight
            );
            output.others =
                name || !names.empty() ? output.others : std::max(output.others, weight);
            check(weight);
            all += weight;
        }
        if (output.columns.size() > columns_max) {
            refuse("dos_memory");
        }
    }
    for (const auto* member :
         {"whereClause",
          "groupClause",
          "havingClause",
          "sortClause",
          "distinctClause",
          "windowClause",
          "limitCount",
          "limitOffset"}) {
        if (const auto* value = base::member(select, member)) {
            all += lengths_ ? 0 : weigh(*value, inner);
        }
    }
    check(all / all_columns_times_max);
    return output;
}

GuardWeights::Output GuardWeights::relation(const Json& members, const Place& place) {
    const auto name = base::string_member(members, "relname").value_or("");
    auto* found = members.contains("schemaname") ? nullptr : place.queries;
    while (found != nullptr && found->name != name) {
        GuardSteps::take();
        found = found->outer;
    }
    Output output;
    output.ordered = false;
    output.others = base_weight();
    if (found == nullptr) {
        return output;
    }
    if (found->state == Query::State::pending) {
        define(*found, place.depth + 1);
    }
    GuardSteps::take(found->output.columns.size());
    output = found->output;
    if (lengths_ && !found->lengths) {
        for (auto& [column, weight] : output.columns) {
            weight = 0;
        }
        output.others = 0;
    }
    return output;
}

void GuardWeights::item(const Json& value, std::vector<Item>& items, const Place& place) {
    if (stopped()) {
        return;
    }
    if (place.depth > depth_max) {
        return refuse("dos_parser");
    }
    if (const auto* named = node(&value, "RangeVar")) {
        auto name = base::string_member(*named, "relname").value_or("");
        return add(items, *named, std::move(name), relation(*named, place));
    }
    if (const auto* sample = node(&value, "RangeTableSample")) {
        return sample->contains("relation") ? item((*sample)["relation"], items, place) : void();
    }
    if (const auto* queried = node(&value, "RangeSubselect")) {
        const auto* select = node(base::member(*queried, "subquery"), "SelectStmt");
        return add(items, *queried, "", select ? query(*select, place) : Output{});
    }
    if (const auto* functions = node(&value, "RangeFunction")) {
        Output output;
        output.ordered = false;
        std::string name;
        if (const auto* list = base::member(*functions, "functions")) {
            output.others = std::max(weigh(*list, place), base_weight());
            constants::any_node(*list, [&](const std::string& type, const Json& call) {
                name = type == "FuncCall" ? dotted(base::member(call, "funcname")).last : name;
                return !name.empty();
            });
        }
        check(output.others);
        return add(items, *functions, name, std::move(output));
    }
    const auto* join = node(&value, "JoinExpr");
    if (join == nullptr) {
        return;
    }
    const auto first = items.size();
    const Place deeper{place.scope, place.queries, place.depth + 1};
    for (const auto* side : {"larg", "rarg"}) {
        if (const auto* each = base::member(*join, side)) {
            item(*each, items, deeper);
        }
    }
    if (const auto* condition = base::member(*join, "quals"); condition && !lengths_) {
        check(weigh(*condition, place) / all_columns_times_max);
    }
    if (join->contains("alias")) {
        Output output;
        output.ordered = false;
        for (auto i = first; i < items.size(); ++i) {
            const auto& of = items[i].output;
            GuardSteps::take(of.columns.size());
            output.columns.insert(output.columns.end(), of.columns.begin(), of.columns.end());
            output.others = std::max(output.others, of.others);
        }
        add(items, *join, "", std::move(output));
    } else if (join->contains("usingClause") || join->contains("isNatural")) {
        for (auto i = first; i < items.size(); ++i) {
            items[i].output.ordered = false; // a column of both stands in front
        }
    }
}

void GuardWeights::add(
    std::vector<Item>& items, const Json& members, std::string name, Output output
) {
    const auto* alias = base::member(members, "alias");
    const auto renamed =
        alias ? names_in(base::member(*alias, "colnames")) : std::vector<std::string>{};
    const auto most = heaviest(output);
    for (std::size_t i = 0; i < renamed.size(); ++i) {
        const bool known = i < output.columns.size();
        const auto weight = output.ordered && known ? output.columns[i].second : most;
        if (known) {
            output.columns[i] = {renamed[i], weight};
        } else {
            output.columns.emplace_back(renamed[i], weight);
        }
    }
    Item made;
    made.alias = alias_of(members, std::move(name));
    GuardSteps::take(output.columns.size());
    for (const auto& [column, weight] : output.columns) {
        if (!column.empty()) {
            auto& known = made.named[column];
            known = std::max(known, weight);
        }
    }
    made.output = std::move(output);
    items.push_back(std::move(made));
}

/// The heaviest of all that a name can mean: what is renamed or unnamed may be it.
double GuardWeights::column(const Json& members, const Scope* scope) const {
    const auto* fields = base::member(members, "fields");
    const auto names = names_in(fields);
    const bool star = fields != nullptr && !fields->empty() && fields->back().contains("A_Star");
    const auto name = names.empty() || star ? std::string{} : names.back();
    const auto of = star               ? (names.empty() ? std::string{} : names.back())
                    : names.size() > 1 ? names[names.size() - 2]
                                       : std::string{};
    double most = 0;
    bool known = false;
    for (; scope != nullptr && !known; scope = scope->outer) {
        for (const auto& each : *scope->items) {
            GuardSteps::take();
            if (!of.empty() && each.alias != of) {
                continue;
            }
            const auto found = each.named.find(name);
            if (star || (of.empty() && each.alias == name)) {
                most = std::max(most, sum(each.output));
            } else if (found != each.named.end()) {
                most = std::max(most, found->second);
            } else {
                most = std::max(most, of.empty() ? each.output.others : heaviest(each.output));
            }
            known = known || !of.empty() || found != each.named.end();
        }
    }
    return std::max(most, base_weight());
}

/// The heaviest of a list: one of them is taken.
double GuardWeights::largest(const Json& list, const Place& place, int nested) {
    double most = 0;
    for (const auto& each : list) {
        most = std::max(most, weigh(each, place, nested + 1));
    }
    return most;
}

double GuardWeights::call(const Json& members, const Place& place, int nested) {
    const auto name = dotted(base::member(members, "funcname")).last;
    const auto* arguments = base::member(members, "args");
    if (arguments == nullptr || !arguments->is_array() || arguments->empty()) {
        return base_weight();
    }
    if (lengths_ && measures(name)) {
        return 0;
    }
    if (lengths_ && shortens(name)) {
        return weigh((*arguments)[0], place, nested + 1);
    }
    if (name == "format") {
        return template_factor(argument(members, 0)) *
               std::max(weigh(*arguments, place, nested + 1), base_weight());
    }
    const bool replaces = name == "replace" || name == "regexp_replace";
    if (replaces || name == "array_to_string") {
        // Each piece of the first may become the whole of the other.
        const auto* put = argument(members, replaces ? 2 : 1);
        const auto first = weigh((*arguments)[0], place, nested + 1);
        const bool made = put != nullptr && constants::has_column(*put);
        const auto times = made       ? std::max(2.0, weigh(*put, place, nested + 1) + 1)
                           : replaces ? replacement_factor(name, members)
                                      : 1;
        return first * times;
    }
    if (guard_data::makes_text(name)) {
        const auto* length = argument(members, 1);
        const auto first = weigh((*arguments)[0], place, nested + 1);
        const auto times = length ? constants::magnitude(sql_, *length) : std::nullopt;
        const bool columns = constants::has_column((*arguments)[0]);
        if (name == "repeat") {
            return columns ? first * std::max(1.0, times.value_or(2)) : first;
        }
        return columns && !times ? 2 * first : first;
    }
    return -1;
}

double GuardWeights::special(
    const std::string& type, const Json& members, const Place& place, int nested
) {
    if (type == "SubLink") {
        const auto* select = node(base::member(members, "subselect"), "SelectStmt");
        const auto output = select ? query(*select, place) : Output{};
        const auto* tested = base::member(members, "testexpr");
        const bool value = base::string_member(members, "subLinkType") == "EXPR_SUBLINK" ||
                           base::string_member(members, "subLinkType") == "ARRAY_SUBLINK";
        return (value ? sum(output) : base_weight()) +
               (tested && !lengths_ ? weigh(*tested, place, nested + 1) : 0);
    }
    if (type == "FuncCall") {
        return call(members, place, nested);
    }
    if (!lengths_) {
        return -1;
    }
    if (type == "CaseExpr") {
        double most = 0;
        if (const auto* arms = base::member(members, "args")) {
            for (const auto& arm : *arms) {
                const auto* when = node(&arm, "CaseWhen");
                const auto* result = when ? base::member(*when, "result") : nullptr;
                most = std::max(most, result ? weigh(*result, place, nested + 1) : 0);
            }
        }
        const auto* otherwise = base::member(members, "defresult");
        return std::max(most, otherwise ? weigh(*otherwise, place, nested + 1) : 0);
    }
    if (type == "CoalesceExpr" || type == "MinMaxExpr") {
        const auto* arguments = base::member(members, "args");
        return arguments ? largest(*arguments, place, nested) : 0;
    }
    if (type == "BoolExpr" || type == "NullTest" || type == "BooleanTest") {
        return 0;
    }
    if (type == "A_Expr" && !joins(dotted(base::member(members, "name")).last)) {
        const auto* left = base::member(members, "lexpr");
        const auto* right = base::member(members, "rexpr");
        return std::max(
            left ? weigh(*left, place, nested + 1) : 0, right ? weigh(*right, place, nested + 1) : 0
        );
    }
    return -1;
}

/// Sums, with a stack of its own: chains of operators may be as long as the statement.
double GuardWeights::weigh(const Json& value, const Place& place, int nested) {
    struct Piece {
        const Json* value;
        double times;
    };
    double all = 0;
    std::vector<Piece> rest{{&value, 1}};
    while (!rest.empty() && !stopped()) {
        const auto [next, times] = rest.back();
        rest.pop_back();
        if (!GuardSteps::take()) {
            break;
        }
        if (next->is_array()) {
            for (const auto& each : *next) {
                rest.push_back({&each, times});
            }
            continue;
        }
        if (!next->is_object()) {
            continue;
        }
        for (const auto& [type, members] : next->items()) {
            if (!members.is_structured() || type == "typeName") {
                continue;
            }
            if (type == "ColumnRef") {
                all += times * column(members, place.scope);
                continue;
            }
            if (type == "A_Const") { // what is around it makes it longer
                all += lengths_ || times < 2 ? 0 : times;
                continue;
            }
            // Deeper than that nobody writes: what stands there counts twice.
            const double found = nested < nested_max ? special(type, members, place, nested) : -1;
            if (found >= 0) {
                all += times * found;
                continue;
            }
            const auto* cast = type == "TypeCast" ? base::member(members, "typeName") : nullptr;
            const bool doubles =
                nested >= nested_max || type == "A_ArrayExpr" || type == "RowExpr" ||
                (type == "FuncCall" && escapes(dotted(base::member(members, "funcname")).last)) ||
                (cast != nullptr && dotted(base::member(*cast, "names")).last == "bytea");
            rest.push_back({&members, doubles ? times * 2 : times});
        }
        if (all > limits::sql_column_weight_max * all_columns_times_max) {
            break; // enough
        }
    }
    return all;
}

} // namespace interlock::db
