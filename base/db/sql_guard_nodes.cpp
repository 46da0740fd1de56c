// The grammar that the guard allows: every node type, every member of it. What PostgreSQL's parser
// may put into a tree but is not written here is denied, so that no newer parser can slip
// something past the walk.
#include "base/db/sql_guard_data.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace interlock::db::guard_data {
namespace {

struct NodeShape {
    std::string_view type;
    // Members by name: "a" nodes, "a." scalar, "a:T" of fixed type T, "!a" denied.
    std::string_view members;
};

constexpr auto shapes = std::to_array<NodeShape>({
    {"SelectStmt",
     "distinctClause targetList fromClause whereClause groupClause groupDistinct. havingClause "
     "windowClause valuesLists sortClause limitOffset limitCount limitOption. "
     "withClause:WithClause op. all. larg:SelectStmt rarg:SelectStmt !intoClause !lockingClause"},
    {"WithClause", "ctes recursive. location."},
    {"CommonTableExpr",
     "ctename. aliascolnames ctematerialized. ctequery search_clause:CTESearchClause "
     "cycle_clause:CTECycleClause location."},
    {"CTESearchClause", "search_col_list search_breadth_first. search_seq_column. location."},
    {"CTECycleClause",
     "cycle_col_list cycle_mark_column. cycle_mark_value cycle_mark_default cycle_path_column. "
     "location."},
    {"ResTarget", "name. indirection val location."},
    {"ColumnRef", "fields location."},
    {"A_Const",
     "ival:Integer fval:Float boolval:Boolean sval:String bsval:BitString isnull. location."},
    {"A_Expr", "kind. name lexpr rexpr location."},
    {"A_Star", ""},
    {"A_Indices", "is_slice. lidx uidx"},
    {"A_Indirection", "arg indirection"},
    {"A_ArrayExpr", "elements location."},
    {"FuncCall",
     "funcname args agg_order agg_filter over:WindowDef agg_within_group. agg_star. agg_distinct. "
     "func_variadic. funcformat. location."},
    {"WindowDef",
     "name. refname. partitionClause orderClause frameOptions. startOffset endOffset location."},
    {"SortBy", "node sortby_dir. sortby_nulls. useOp location."},
    {"GroupingSet", "kind. content location."},
    {"GroupingFunc", "args location."},
    {"RangeVar", "catalogname. schemaname. relname. inh. relpersistence. alias:Alias location."},
    {"Alias", "aliasname. colnames"},
    {"RangeSubselect", "lateral. subquery alias:Alias"},
    {"RangeFunction", "lateral. ordinality. is_rowsfrom. functions alias:Alias coldeflist"},
    {"RangeTableSample", "relation method args repeatable location."},
    {"JoinExpr",
     "jointype. isNatural. larg rarg usingClause join_using_alias:Alias quals alias:Alias"},
    {"SubLink", "subLinkType. testexpr operName subselect location."},
    {"CaseExpr", "arg args defresult location."},
    {"CaseWhen", "expr result location."},
    {"CoalesceExpr", "args location."},
    {"MinMaxExpr", "op. args location."},
    {"NullTest", "arg nulltesttype. argisrow. location."},
    {"BooleanTest", "arg booltesttype. location."},
    {"BoolExpr", "boolop. args location."},
    {"RowExpr", "args row_format. location."},
    {"TypeCast", "arg typeName:TypeName location."},
    {"TypeName", "names typmods typemod. arrayBounds location. !setof !pct_type"},
    {"CollateClause", "arg collname location."},
    {"SQLValueFunction", "op. typmod. location."},
    {"ParamRef", "number. location."},
    {"NamedArgExpr", "arg name. argnumber. location."},
    {"ColumnDef", "colname. typeName:TypeName is_local. collClause:CollateClause location."},
    {"ExplainStmt", "query options"},
    {"DefElem", "defname. arg defaction. location."},
    {"VariableShowStmt", "name."},
    {"List", "items"},
    {"String", "sval."},
    {"Integer", "ival."},
    {"Float", "fval."},
    {"Boolean", "boolval."},
    {"BitString", "bsval."},
});

using Key = std::pair<std::string_view, std::string_view>;

std::map<Key, Member> read_shapes() {
    std::map<Key, Member> members;
    for (const auto& shape : shapes) {
        auto rest = shape.members;
        while (!rest.empty()) {
            const auto end = std::min(rest.find(' '), rest.size());
            auto word = rest.substr(0, end);
            rest.remove_prefix(std::min(end + 1, rest.size()));
            Member member{.kind = MemberKind::nodes, .type = {}};
            if (word.front() == '!') {
                member.kind = MemberKind::denied;
                word.remove_prefix(1);
            } else if (word.back() == '.') {
                member.kind = MemberKind::scalar;
                word.remove_suffix(1);
            } else if (const auto colon = word.find(':'); colon != std::string_view::npos) {
                member = {.kind = MemberKind::fixed, .type = word.substr(colon + 1)};
                word = word.substr(0, colon);
            }
            members.emplace(Key{shape.type, word}, member);
        }
    }
    return members;
}

struct StatementClass {
    std::string_view prefix; // of a node type, the longest first
    std::string_view name;
};

constexpr auto classes = std::to_array<StatementClass>({
    {"InsertStmt", "dml"},
    {"UpdateStmt", "dml"},
    {"DeleteStmt", "dml"},
    {"MergeStmt", "dml"},
    {"CopyStmt", "copy"},
    {"TransactionStmt", "txn_control"},
    {"AlterSystemStmt", "utility"},
    {"AlterDatabaseRefreshCollStmt", "ddl"},
    {"CreateTableAsStmt", "ddl"},
    {"Create", "ddl"},
    {"Alter", "ddl"},
    {"Drop", "ddl"},
    {"Rename", "ddl"},
    {"Comment", "ddl"},
    {"Define", "ddl"},
    {"Grant", "ddl"},
    {"Truncate", "ddl"},
    {"Index", "ddl"},
    {"View", "ddl"},
    {"Rule", "ddl"},
    {"Composite", "ddl"},
    {"Import", "ddl"},
    {"SecLabel", "ddl"},
    {"Reassign", "ddl"},
    {"RefreshMatView", "ddl"},
});

} // namespace

bool allowed_node(std::string_view type) {
    return std::any_of(shapes.begin(), shapes.end(), [&](const NodeShape& shape) {
        return shape.type == type;
    });
}

std::optional<Member> member_of(std::string_view type, std::string_view member) {
    static const auto members = read_shapes();
    const auto found = members.find({type, member});
    return found == members.end() ? std::nullopt : std::optional{found->second};
}

std::string_view statement_class(std::string_view type) {
    for (const auto& entry : classes) {
        if (type.starts_with(entry.prefix)) {
            return entry.name;
        }
    }
    return "utility";
}

} // namespace interlock::db::guard_data
