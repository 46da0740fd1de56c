// How often a column of a query holds the columns of relations that it is made of. The planner
// writes sub-selects out, and a text that is joined to itself doubles: one that does either in each
// of thirty sub-selects takes all memory, however short the statement is.
#pragma once

#include "base/json.hpp"

#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace interlock::db {

class GuardWeights {
public:
    explicit GuardWeights(std::string_view sql) : sql_(sql) {}

    /// "" or the class of attack that the statement is.
    std::string_view judge(const base::Json& statement);

private:
    /// The columns of a query, in their order.
    struct Output {
        std::vector<std::pair<std::string, double>> columns; // "" = the server names it
        bool ordered = true;                                 // false: a star over a relation
        double others = 0; // what a column of another name weighs; 0 = there is none
    };
    /// An item of FROM.
    struct Item {
        std::string alias;
        Output output;
        std::map<std::string, double> named;
    };
    struct Scope {
        const std::vector<Item>* items = nullptr;
        const Scope* outer = nullptr;
    };
    /// A query of WITH, and those that its neighbours see beside it.
    struct Query {
        std::string name;
        const base::Json* members = nullptr;
        Query* outer = nullptr;
        Query* sees = nullptr;
        const Scope* scope = nullptr;
        bool recursive = false;
        enum class State { pending, running, done } state = State::pending;
        Output output;
        bool lengths = false; // its output tells lengths, not occurrences
    };
    /// Where an expression or a query stands.
    struct Place {
        const Scope* scope = nullptr;
        Query* queries = nullptr;
        int depth = 0;
    };

    Output query(const base::Json& select, Place place);
    Output chain(const base::Json& select, const Place& place);
    Output single(const base::Json& select, const Place& place);
    Output values(const base::Json& lists, const Place& place);
    Query* open_with(const base::Json& with, const Place& place);
    void define(Query& query, int depth);
    void repeat(Query& query, const base::Json& step, const Place& place);
    void item(const base::Json& value, std::vector<Item>& items, const Place& place);
    Output relation(const base::Json& members, const Place& place);
    void add(std::vector<Item>& items, const base::Json& members, std::string name, Output output);

    double weigh(const base::Json& value, const Place& place, int nested = 0);
    double column(const base::Json& members, const Scope* scope) const;
    double largest(const base::Json& list, const Place& place, int nested);
    double call(const base::Json& members, const Place& place, int nested);
    /// Of one that has to be looked at piece by piece; what is negative is the sum of its pieces.
    double special(const std::string& type, const base::Json& members, const Place&, int nested);

    double base_weight() const { return lengths_ ? 0 : 1; }
    void check(double weight);
    void refuse(std::string_view family) { found_ = found_.empty() ? family : found_; }
    bool stopped() const;

    static void merge(Output& output, const Output& other);
    static double heaviest(const Output& output);
    static double sum(const Output& output);

    std::string_view sql_;
    std::deque<Query> queries_; // addresses stay
    bool lengths_ = false;      // the step of a recursion: what its own columns grow to
    std::string_view found_;
};

} // namespace interlock::db
