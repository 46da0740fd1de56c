// What a statement makes by its own words: for every expression an upper bound of its bytes, of the
// digits it has as a number and of how deep it nests as JSON, carried through the columns of
// sub-selects, WITH, VALUES and functions; and the sum of what all of them cost. A column of a real
// relation counts as a short text: data are bounded by the time-out and by the plan's cost.
#pragma once

#include "base/json.hpp"

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace interlock::db {

class GuardCost {
public:
    explicit GuardCost(std::string_view sql) : sql_(sql) {}

    /// "" or the class of attack that the statement is.
    std::string_view judge(const base::Json& statement);
    /// The longest value that an aggregate gathers; after judge().
    double longest() const { return longest_; }

    struct Bound {
        double bytes = 100;
        double digits = 10;   // as a number, or printed within JSON
        double run = 0;       // digits that its constants could become when they are put together
        double value = 0;     // of a number; 0: not known
        double deep = 3;      // brackets in brackets, as JSON
        bool data = true;     // has something from the target in it
        bool pure = true;     // a constant text, a column, or these joined
        bool braces = false;  // could hold the {} of a pattern
        bool carried = false; // a column that the statement makes for itself
    };

private:
    using Columns = std::vector<std::pair<std::string, Bound>>;
    struct Table {
        Columns columns{};
        std::optional<Bound> rest{}; // of columns whose names are not known here
        double rows = 1;             // made out of nothing
        bool relation = false;       // and those of relations
    };
    struct Item {
        std::string alias;
        Table table;
    };
    struct Scope {
        const Scope* outer = nullptr;
        std::vector<Item> items{};
        double rows = 1;
        bool relation = false;
        bool joined = false; // conditions hold its items together
    };
    struct With {
        const With* outer = nullptr;
        std::string name;
        Table table;
    };
    struct Call {
        std::string name;
        std::vector<Bound> arguments;
        const base::Json* members;
    };

    Table query(const base::Json& select, const Scope* outer, const With* with, int depth);
    Table single(const base::Json& select, const Scope* outer, const With* with, int depth);
    const With* open_with(const base::Json& with, const Scope* outer, const With* known, int depth);
    Table
    recursive(const base::Json& cte, const base::Json& select, const Scope*, const With*, int);
    void gather(const base::Json& item, Scope& scope, const With* with, int depth);
    void gather_functions(const base::Json& item, Scope& scope, const With* with, int depth);
    void add(Scope& scope, const base::Json& members, std::string name, Table table);
    Columns outputs(const base::Json& select, const Scope& scope);
    double made_rows(const base::Json& targets) const;

    /// One of them, nobody knows which.
    static Bound largest(const std::vector<Bound>& all);
    /// All expressions of a piece of the tree, from the leaves up.
    void evaluate(const base::Json& value, const Scope& scope, const With* with, int depth);
    Bound of(const base::Json* value) const;
    std::vector<Bound> list(const base::Json* values) const;
    Bound bound_of(const std::string& type, const base::Json& members, const Scope& scope);
    Bound constant(const base::Json& members) const;
    Bound column(const base::Json& members, const Scope& scope) const;
    Bound cast(const base::Json& members);
    Bound expression(const base::Json& members);
    Bound link(const base::Json& members);
    Bound call(const base::Json& members, const Scope& scope);
    Bound text_call(const Call& call);
    Bound gathered(const Call& call, const Scope& scope);
    Bound arithmetic(const std::string& name, const Bound& left, const Bound& right);
    void patterns(const std::string& name, const Bound& pattern);
    Bound path(const base::Json* written, const Bound& document, const Bound& query);

    void made(double bytes);
    void worked(double steps);
    void refuse(std::string_view family) { found_ = found_.empty() ? family : found_; }

    std::string_view sql_;
    std::unordered_map<const base::Json*, Bound> known_;
    std::unordered_map<const base::Json*, Table> queried_; // sub-selects in expressions
    std::deque<With> withs_;                               // addresses stay
    double bytes_ = 0;
    double steps_ = 0;
    double longest_ = 1;
    std::size_t columns_ = 0;
    std::string_view found_;
};

} // namespace interlock::db
