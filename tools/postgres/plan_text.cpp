#include "tools/postgres/plan_text.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <initializer_list>
#include <optional>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace interlock::tools {
namespace {

using base::Errc;
using base::Error;
using base::Json;

// A node takes a kilobyte here; plans of a thousand partitions have a few thousand.
constexpr std::size_t nodes_max = 5'000;
constexpr std::size_t depth_max = 200; // trees of joins are as deep as they have tables

Error no_plan(std::string what) {
    return Error{
        Errc::invalid_arguments,
        std::move(what),
        "Paste the whole output of EXPLAIN of one statement with its indentation, in the text "
        "format or in JSON (FORMAT JSON)."};
}

/// The lines of a text, without their ends.
class Lines {
public:
    explicit Lines(std::string_view text) : rest_{text} {}
    std::optional<std::string_view> next() {
        if (ended_) {
            return std::nullopt;
        }
        const auto end = rest_.find('\n');
        std::string_view line = rest_.substr(0, end);
        ended_ = end == std::string_view::npos;
        rest_.remove_prefix(ended_ ? rest_.size() : end + 1);
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        return line;
    }

private:
    std::string_view rest_;
    bool ended_ = false;
};

std::string_view right_trimmed(std::string_view text) {
    const auto last = text.find_last_not_of(" \t");
    return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

/// How far a line is indented, in characters, which are as many as bytes here.
std::size_t indentation(std::string_view line) {
    return std::min(line.find_first_not_of(" \t"), line.size());
}

/// Takes `prefix` away if `text` begins with it.
bool take(std::string_view& text, std::string_view prefix) {
    if (!text.starts_with(prefix)) {
        return false;
    }
    text.remove_prefix(prefix.size());
    return true;
}

std::optional<double> take_number(std::string_view& text) {
    double value = 0;
    const auto [end, problem] =
        std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
    if (problem != std::errc{} || !std::isfinite(value)) {
        return std::nullopt;
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
}

/// The number behind `label`, wherever that stands: "Disk: " of "external merge  Disk: 12kB".
std::optional<double> number_after(std::string_view text, std::string_view label) {
    const auto at = text.find(label);
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    text.remove_prefix(at + label.size());
    return take_number(text);
}

struct Costs {
    double startup = 0;
    double total = 0;
    double rows = 0;
    double width = 0;
};

/// "cost=0.00..35.50 rows=2550 width=4)".
std::optional<Costs> costs_of(std::string_view text) {
    const auto part = [&](std::string_view label, double& value) {
        const bool labelled = take(text, label);
        const auto number = labelled ? take_number(text) : std::nullopt;
        value = number.value_or(0);
        return number.has_value();
    };
    Costs out;
    const bool whole = part("cost=", out.startup) && part("..", out.total) &&
                       part(" rows=", out.rows) && part(" width=", out.width) && take(text, ")");
    return whole ? std::optional{out} : std::nullopt;
}

struct Actual {
    std::optional<double> startup_ms;
    std::optional<double> total_ms;
    double rows = 0;
    double loops = 0;
};

/// "time=0.010..0.020 rows=1 loops=1)", "rows=1.00 loops=3)".
std::optional<Actual> actual_of(std::string_view text) {
    Actual out;
    if (take(text, "time=")) {
        out.startup_ms = take_number(text);
        if (!out.startup_ms || !take(text, "..")) {
            return std::nullopt;
        }
        out.total_ms = take_number(text);
        if (!out.total_ms || !take(text, " ")) {
            return std::nullopt;
        }
    }
    const auto rows = take(text, "rows=") ? take_number(text) : std::nullopt;
    const auto loops = rows && take(text, " loops=") ? take_number(text) : std::nullopt;
    if (!loops) {
        return std::nullopt;
    }
    out.rows = *rows;
    out.loops = *loops;
    return out;
}

/// A line of a node, taken apart.
struct NodeLine {
    std::size_t column = 0; // of the node's name
    std::size_t begins = 0; // of the line: of the arrow, below the root
    bool arrow = false;
    std::string_view title; // "Index Scan using i on app.t x"
    std::optional<Costs> costs;
    std::optional<Actual> actual;
    bool never_executed = false;

    bool measured() const { return costs || actual || never_executed; }
};

/// The numbers stand at the end, behind any name: they are looked for from there.
NodeLine node_line(std::string_view line) {
    NodeLine out;
    out.begins = indentation(line);
    out.column = out.begins;
    std::string_view rest = right_trimmed(line.substr(out.column));
    if (take(rest, "->")) {
        const std::size_t space = indentation(rest);
        rest.remove_prefix(space);
        out.arrow = true;
        out.column += 2 + space;
    }
    constexpr std::string_view never = "(never executed)";
    constexpr std::string_view actual = "(actual ";
    if (rest.ends_with(never)) {
        out.never_executed = true;
        rest = right_trimmed(rest.substr(0, rest.size() - never.size()));
    } else if (const auto at = rest.rfind(actual); at != std::string_view::npos) {
        out.actual = actual_of(rest.substr(at + actual.size()));
        rest = out.actual ? right_trimmed(rest.substr(0, at)) : rest;
    }
    if (const auto at = rest.rfind("(cost="); at != std::string_view::npos && rest.ends_with(')')) {
        out.costs = costs_of(rest.substr(at + 1));
        rest = out.costs ? right_trimmed(rest.substr(0, at)) : rest;
    }
    out.title = rest;
    return out;
}

/// A name as PostgreSQL writes it, with or without quotes.
std::string take_identifier(std::string_view& text) {
    std::string name;
    if (!take(text, "\"")) {
        const auto end = std::min(text.find_first_of(" ."), text.size());
        name = text.substr(0, end);
        text.remove_prefix(end);
        return name;
    }
    while (!text.empty()) {
        if (take(text, "\"\"")) {
            name += '"';
        } else if (take(text, "\"")) {
            break;
        } else {
            name += text.front();
            text.remove_prefix(1);
        }
    }
    return name;
}

/// A kind of node: what the text begins with, and what JSON says of it.
struct Kind {
    std::string_view text;
    std::string_view type;
    std::string_view key = {}; // and its value: "Strategy", "Operation"
    std::string_view value = {};
};

// What begins like another stands in front of it.
constexpr auto kinds = std::to_array<Kind>({
    {"Nested Loop", "Nested Loop"},
    {"Merge Append", "Merge Append"},
    {"Merge on", "ModifyTable", "Operation", "Merge"},
    {"Merge", "Merge Join"},
    {"Hash", "Hash"},
    {"HashAggregate", "Aggregate", "Strategy", "Hashed"},
    {"GroupAggregate", "Aggregate", "Strategy", "Sorted"},
    {"MixedAggregate", "Aggregate", "Strategy", "Mixed"},
    {"Aggregate", "Aggregate", "Strategy", "Plain"},
    {"HashSetOp", "SetOp", "Strategy", "Hashed"},
    {"SetOp", "SetOp", "Strategy", "Sorted"},
    {"Insert on", "ModifyTable", "Operation", "Insert"},
    {"Update on", "ModifyTable", "Operation", "Update"},
    {"Delete on", "ModifyTable", "Operation", "Delete"},
    {"Foreign Insert", "Foreign Scan", "Operation", "Insert"},
    {"Foreign Update", "Foreign Scan", "Operation", "Update"},
    {"Foreign Delete", "Foreign Scan", "Operation", "Delete"},
    {"Foreign Scan", "Foreign Scan"},
    {"Seq Scan", "Seq Scan"},
    {"Sample Scan", "Sample Scan"},
    {"Index Only Scan", "Index Only Scan"},
    {"Index Scan", "Index Scan"},
    {"Bitmap Index Scan", "Bitmap Index Scan"},
    {"Bitmap Heap Scan", "Bitmap Heap Scan"},
    {"BitmapAnd", "BitmapAnd"},
    {"BitmapOr", "BitmapOr"},
    {"Tid Range Scan", "Tid Range Scan"},
    {"Tid Scan", "Tid Scan"},
    {"Subquery Scan", "Subquery Scan"},
    {"Function Scan", "Function Scan"},
    {"Table Function Scan", "Table Function Scan"},
    {"Values Scan", "Values Scan"},
    {"CTE Scan", "CTE Scan"},
    {"Named Tuplestore Scan", "Named Tuplestore Scan"},
    {"WorkTable Scan", "WorkTable Scan"},
    {"Custom Scan", "Custom Scan"},
    {"Gather Merge", "Gather Merge"},
    {"Gather", "Gather"},
    {"Incremental Sort", "Incremental Sort"},
    {"Sort", "Sort"},
    {"Materialize", "Materialize"},
    {"Memoize", "Memoize"},
    {"Group", "Group"},
    {"WindowAgg", "WindowAgg"},
    {"Unique", "Unique"},
    {"LockRows", "LockRows"},
    {"Limit", "Limit"},
    {"Append", "Append"},
    {"Recursive Union", "Recursive Union"},
    {"ProjectSet", "ProjectSet"},
    {"Result", "Result"},
});

/// A word ends where the kind's name does: "Hash" is not the beginning of "HashAggregate".
bool begins_with(std::string_view title, std::string_view words) {
    return title.starts_with(words) && (title.size() == words.size() || title[words.size()] == ' ');
}

const Kind* kind_of(std::string_view title) {
    const auto found = std::find_if(kinds.begin(), kinds.end(), [&](const Kind& kind) {
        return begins_with(title, kind.text);
    });
    return found == kinds.end() ? nullptr : &*found;
}

/// " Left Join" behind the name of a join; " Except All" behind that of a SetOp.
void read_variant(Json& node, std::string_view type, std::string_view& rest) {
    if (type == "Hash" || type == "Merge Join" || type == "Nested Loop") {
        const auto end = rest.find("Join");
        if (end == std::string_view::npos) {
            if (type == "Nested Loop") {
                node["Join Type"] = "Inner";
            }
            return;
        }
        const std::string kind{base::trim(rest.substr(0, end))};
        node["Node Type"] = type == "Hash" ? "Hash Join" : std::string{type};
        node["Join Type"] = kind.empty() ? "Inner" : kind;
        rest.remove_prefix(end + std::string_view{"Join"}.size());
    } else if (type == "SetOp") {
        node["Command"] = std::string{base::trim(rest)};
        rest = {};
    }
}

/// "using i on app.t x": which index, which relation.
void read_names(Json& node, std::string_view type, std::string_view rest) {
    const bool bitmap = type == "Bitmap Index Scan";
    if (take(rest, " Backward")) {
        node["Scan Direction"] = "Backward";
    }
    if (take(rest, " using ")) {
        node["Index Name"] = take_identifier(rest);
    }
    // A scan of a subquery or of VALUES names its alias alone.
    if (type == "Subquery Scan" || type == "Values Scan" || type == "Named Tuplestore Scan" ||
        !take(rest, " on ")) {
        return;
    }
    std::string first = take_identifier(rest);
    std::string schema;
    if (take(rest, ".")) {
        schema = std::exchange(first, take_identifier(rest));
    }
    const char* key = type == "CTE Scan" || type == "WorkTable Scan" ? "CTE Name"
                      : type == "Function Scan"                      ? "Function Name"
                      : type == "Table Function Scan"                ? "Table Function Name"
                      : bitmap                                       ? "Index Name"
                                                                     : "Relation Name";
    node[key] = first;
    if (!schema.empty()) {
        node["Schema"] = schema;
    }
}

Json node_of(const NodeLine& line) {
    std::string_view title = line.title;
    Json node = Json::object();
    if (take(title, "Parallel ")) {
        node["Parallel Aware"] = true;
    }
    (void)take(title, "Async ");
    for (const std::string_view mode : {"Partial ", "Finalize "}) {
        if (take(title, mode)) {
            node["Partial Mode"] = std::string{mode.substr(0, mode.size() - 1)};
        }
    }
    const Kind* kind = kind_of(title);
    if (kind == nullptr) { // of a version to come
        node["Node Type"] = std::string{title.substr(0, title.find(" on "))};
        const auto on = title.find(" on ");
        read_names(node, "", on == std::string_view::npos ? "" : title.substr(on));
    } else {
        node["Node Type"] = std::string{kind->type};
        if (!kind->key.empty()) {
            node[std::string{kind->key}] = std::string{kind->value};
        }
        const bool target = kind->text.ends_with(" on");
        std::string_view rest =
            title.substr(kind->text.size() - (target ? std::string_view{" on"}.size() : 0));
        read_variant(node, kind->type, rest);
        read_names(node, kind->type, rest);
    }
    if (line.costs) {
        node["Startup Cost"] = line.costs->startup;
        node["Total Cost"] = line.costs->total;
        node["Plan Rows"] = line.costs->rows;
        node["Plan Width"] = line.costs->width;
    }
    if (line.actual || line.never_executed) {
        const Actual actual = line.actual.value_or(Actual{});
        if (actual.total_ms) {
            node["Actual Startup Time"] = *actual.startup_ms;
            node["Actual Total Time"] = *actual.total_ms;
        }
        node["Actual Rows"] = actual.rows;
        node["Actual Loops"] = actual.loops;
    }
    return node;
}

/// Lines whose value is text and that JSON calls the same.
constexpr std::array<std::string_view, 9> conditions{
    "Index Cond",
    "Recheck Cond",
    "TID Cond",
    "Hash Cond",
    "Merge Cond",
    "Join Filter",
    "Order By",
    "Filter",
    "One-Time Filter"};
/// The same with a number.
constexpr std::array<std::string_view, 6> counts{
    "Rows Removed by Filter",
    "Rows Removed by Join Filter",
    "Rows Removed by Index Recheck",
    "Heap Fetches",
    "Workers Planned",
    "Workers Launched"};

/// A label inside a line, and what JSON calls what follows it.
struct Part {
    std::string_view label;
    const char* key;
};

void read_parts(Json& into, std::string_view text, std::initializer_list<Part> parts) {
    for (const Part& part : parts) {
        if (const auto number = number_after(text, part.label)) {
            into[part.key] = *number;
        }
    }
}

/// "shared hit=1 read=2, temp read=3 written=4".
void read_buffers(Json& node, std::string_view text) {
    for (const auto& [group, names] :
         std::initializer_list<std::pair<std::string_view, std::pair<const char*, const char*>>>{
             {"shared ", {"Shared Hit Blocks", "Shared Read Blocks"}},
             {"temp ", {"Temp Written Blocks", "Temp Read Blocks"}}}) {
        const auto at = text.find(group);
        if (at == std::string_view::npos) {
            continue;
        }
        const std::string_view part = text.substr(at, text.find(',', at) - at);
        read_parts(
            node,
            part,
            {{group == "temp " ? " written=" : " hit=", names.first}, {" read=", names.second}}
        );
    }
}

/// What sorts, hashes and aggregates say of the space that they took; of a worker too.
bool read_space(Json& into, std::string_view type, std::string_view text) {
    if (text.starts_with("Sort Method: ")) {
        const bool disk = text.find("  Disk: ") != std::string_view::npos;
        into["Sort Space Type"] = disk ? "Disk" : "Memory";
        read_parts(into, text, {{disk ? "  Disk: " : "  Memory: ", "Sort Space Used"}});
        return true;
    }
    if (text.starts_with("Full-sort Groups: ") || text.starts_with("Pre-sorted Groups: ")) {
        const char* key = text.front() == 'F' ? "Full-sort Groups" : "Pre-sorted Groups";
        if (const auto peak = number_after(text, "Peak Disk: ")) {
            into[key] = {{"Sort Space Disk", {{"Peak Sort Space Used", *peak}}}};
        }
        return true;
    }
    if (text.starts_with("Buckets: ")) {
        read_parts(into, text, {{"Batches: ", "Hash Batches"}});
        return true;
    }
    if (text.starts_with("Batches: ") || text.starts_with("Planned Partitions: ")) {
        read_parts(
            into,
            text,
            {{"Batches: ", type == "Hash" ? "Hash Batches" : "HashAgg Batches"},
             {"Disk Usage: ", "Disk Usage"}}
        );
        return true;
    }
    if (text.starts_with("Storage: ")) {
        into["Storage"] = text.starts_with("Storage: Disk") ? "Disk" : "Memory";
        read_parts(into, text, {{"Maximum Storage: ", "Maximum Storage"}});
        return true;
    }
    return false;
}

/// A line below a node; what it does not know says nothing.
void read_detail(Json& node, std::string_view text) {
    if (read_space(node, base::string_member(node, "Node Type").value_or(""), text)) {
        return;
    }
    const auto colon = text.find(": ");
    if (colon == std::string_view::npos) {
        return;
    }
    const std::string_view key = text.substr(0, colon);
    std::string_view value = text.substr(colon + 2);
    if (std::find(conditions.begin(), conditions.end(), key) != conditions.end()) {
        node[std::string{key}] = std::string{value};
    } else if (std::find(counts.begin(), counts.end(), key) != counts.end()) {
        node[std::string{key}] = take_number(value).value_or(0);
    } else if (key == "Heap Blocks") {
        read_parts(node, value, {{"lossy=", "Lossy Heap Blocks"}});
    } else if (key == "Buffers") {
        read_buffers(node, value);
    }
}

/// From the first line of a plan to the last.
class Reading {
public:
    base::Status line(std::string_view line);
    base::Result<Json> done();

private:
    struct Placed {
        Json json;
        std::size_t column = 0;
        std::size_t parent = 0;
        std::size_t depth = 0;
        std::size_t inputs = 0; // children that are no subplans
    };
    base::Status add(const NodeLine& line);
    void set_relationship(Json& node, Placed& parent);
    bool footer(std::string_view text);
    void detail(std::size_t column, std::string_view text);

    std::vector<Placed> nodes_;        // in the order of the text
    std::vector<std::size_t> open_;    // from the root to the last node
    std::optional<std::string> label_; // of the node to come: "InitPlan 1 (returns $0)", "CTE a"
    Json top_ = Json::object();
    std::optional<std::size_t> worker_; // column of "Worker 0:", while its lines last
    bool ended_ = false;                // past the last node: "Planning:" and what follows
    bool jit_ = false;
};

base::Status Reading::line(std::string_view line) {
    line = right_trimmed(line);
    const std::size_t column = indentation(line);
    const std::string_view text = line.substr(column);
    const NodeLine node = node_line(line);
    if (node.measured() && !node.title.empty() && (nodes_.empty() || node.arrow)) {
        const bool statement = text.starts_with("Query Text:"); // which auto_explain puts in front
        return statement ? base::done : add(node);
    }
    if (nodes_.empty() || text.empty() || footer(text)) {
        return base::done;
    }
    // Behind a line break in a literal anything may stand, but no second root beside the first.
    if (node.measured() && column <= nodes_[0].column && kind_of(node.title) != nullptr) {
        return no_plan("The text holds more than one plan.");
    }
    if (!ended_) {
        detail(column, text);
    }
    return base::done;
}

base::Status Reading::add(const NodeLine& line) {
    if (nodes_.empty() && line.arrow) {
        return no_plan("The plan does not begin with its root.");
    }
    if (nodes_.size() >= nodes_max) {
        return Error{
            Errc::limit_exceeded,
            "The plan has more than " + std::to_string(nodes_max) + " nodes.",
            "Paste the part that takes the time."};
    }
    while (!open_.empty() && nodes_[open_.back()].column >= line.begins) {
        open_.pop_back();
    }
    Placed placed;
    placed.json = node_of(line);
    placed.column = line.column;
    if (!nodes_.empty()) {
        if (open_.empty()) {
            return no_plan("The plan has lost its indentation.");
        }
        placed.parent = open_.back();
        Placed& parent = nodes_[placed.parent];
        placed.depth = parent.depth + 1;
        if (placed.depth > depth_max) {
            return no_plan("The plan is deeper than any that PostgreSQL makes.");
        }
        set_relationship(placed.json, parent);
        parent.json["Plans"].push_back(Json{}); // its place; done() fills it
    }
    label_.reset();
    worker_.reset();
    open_.push_back(nodes_.size());
    nodes_.push_back(std::move(placed));
    return base::done;
}

/// What JSON says and the text only shows: which child of its parent a node is.
void Reading::set_relationship(Json& node, Placed& parent) {
    if (label_) {
        node["Parent Relationship"] = label_->starts_with("SubPlan ") ? "SubPlan" : "InitPlan";
        node["Subplan Name"] = *label_;
        return;
    }
    const std::string type = base::string_member(parent.json, "Node Type").value_or("");
    const bool member = type.ends_with("Append") || type == "BitmapAnd" || type == "BitmapOr";
    const bool first = parent.inputs++ == 0;
    node["Parent Relationship"] = member                    ? "Member"
                                  : type == "Subquery Scan" ? "Subquery"
                                  : first                   ? "Outer"
                                                            : "Inner";
}

/// A line below the last node. Its workers' lines stand under a line of each, or beside it.
void Reading::detail(std::size_t column, std::string_view text) {
    if (text.starts_with("InitPlan ") || text.starts_with("SubPlan ") || text.starts_with("CTE ")) {
        label_ = text;
        return;
    }
    Json& node = nodes_[open_.back()].json;
    const std::string type = base::string_member(node, "Node Type").value_or("");
    if (worker_ && column > *worker_) {
        (void)read_space(node["Workers"].back(), type, text);
        return;
    }
    worker_.reset();
    const auto colon = text.find(':');
    if (text.starts_with("Worker ") && colon != std::string_view::npos) {
        worker_ = column;
        node["Workers"].push_back(Json::object());
        (void)read_space(node["Workers"].back(), type, base::trim(text.substr(colon + 1)));
        return;
    }
    read_detail(node, text);
}

/// What stands below the nodes, of the whole statement.
bool Reading::footer(std::string_view text) {
    if (text == "Planning:" || text == "JIT:") {
        ended_ = true;
        jit_ = text == "JIT:";
        return true;
    }
    for (const std::string_view key : {"Planning Time", "Execution Time"}) {
        if (text.starts_with(key) && text.substr(key.size()).starts_with(": ")) {
            read_parts(
                top_, text, {{": ", key == "Planning Time" ? "Planning Time" : "Execution Time"}}
            );
            ended_ = true;
            return true;
        }
    }
    if (text.starts_with("Total runtime: ")) { // of old versions, and of what imitates them
        read_parts(top_, text, {{": ", "Execution Time"}});
        return ended_ = true;
    }
    if (jit_ && text.starts_with("Timing: ")) {
        read_parts(top_["JIT"]["Timing"], text, {{"Total ", "Total"}});
        return true;
    }
    if (text.starts_with("Trigger ")) {
        if (const auto ms = number_after(text, ": time=")) {
            top_["Triggers"].push_back({{"Time", *ms}});
            return ended_ = true;
        }
    }
    return false;
}

/// The tree, from the leaves up: a node comes after its parent.
base::Result<Json> Reading::done() {
    if (nodes_.empty()) {
        return no_plan("The text holds no plan with costs or measurements.");
    }
    std::vector<std::size_t> filled(nodes_.size(), 0);
    for (std::size_t i = nodes_.size() - 1; i > 0; --i) {
        Json& plans = nodes_[nodes_[i].parent].json["Plans"];
        plans[plans.size() - 1 - filled[nodes_[i].parent]++] = std::move(nodes_[i].json);
    }
    top_["Plan"] = std::move(nodes_[0].json);
    return std::move(top_);
}

/// "-----", "---+---", "+----+": a rule of a table.
bool is_rule(std::string_view text) {
    return text.size() >= 3 && text.find_first_not_of("-+") == std::string_view::npos;
}

/// A cell of a CSV file without its quotes; those inside it stand there twice.
std::string csv_cell(std::string_view text) {
    std::string out;
    text = text.substr(1, text.size() - 2);
    for (std::size_t i = 0; i < text.size(); ++i) {
        i += text.substr(i).starts_with("\"\"") ? 1U : 0U;
        out += text[i];
    }
    return out;
}

/// "(12 rows)".
bool is_row_count(std::string_view text) {
    return text.starts_with('(') && (text.ends_with(" rows)") || text.ends_with(" row)")) &&
           text.find_first_not_of("0123456789", 1) == text.find(' ');
}

} // namespace

std::string without_frame(std::string_view pasted) {
    // "LOG:  duration: 12.3 ms  plan:" in front of a plan that auto_explain logged as JSON.
    constexpr std::string_view plan = "plan:";
    const auto at = pasted.find(plan);
    if (at != std::string_view::npos &&
        pasted.substr(0, at).find("duration:") != std::string_view::npos &&
        base::trim(pasted.substr(at + plan.size())).starts_with('{')) {
        return std::string{base::trim(pasted.substr(at + plan.size()))};
    }
    std::string out;
    out.reserve(pasted.size());
    Lines lines{pasted};
    while (const auto line = lines.next()) {
        std::string_view text = right_trimmed(*line);
        std::string cell;
        const std::string_view bare = base::trim(text);
        if (bare.size() > 1 && bare.starts_with('|') && bare.ends_with('|')) {
            text = right_trimmed(bare.substr(1, bare.size() - 2)); // the frame of \pset border 2
        } else if (text.size() > 1 && text.starts_with('"') && text.ends_with('"')) {
            cell = csv_cell(text);
            text = cell;
        }
        if (text.ends_with('+')) { // of a cell of several lines
            text = right_trimmed(text.substr(0, text.size() - 1));
        }
        const std::string_view shown = base::trim(text);
        if (shown != "QUERY PLAN" && !is_rule(shown) && !is_row_count(shown)) {
            out += text;
            out += '\n';
        }
    }
    return out;
}

bool is_plan_text(std::string_view text) {
    Lines lines{text};
    while (const auto line = lines.next()) {
        if (const NodeLine node = node_line(*line); node.measured() && !node.title.empty()) {
            return true;
        }
    }
    return false;
}

base::Result<Json> read_plan_text(std::string_view text) {
    Reading reading;
    Lines lines{text};
    while (const auto line = lines.next()) {
        INTERLOCK_CHECK(reading.line(*line));
    }
    return reading.done();
}

} // namespace interlock::tools
