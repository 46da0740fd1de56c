// How many rows a statement makes by its own words alone: series and lists of constants multiplied,
// and relations that stand in one FROM with nothing that joins them. It knows no sizes: a relation
// is one relation, however large.
#pragma once

#include "base/json.hpp"

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace interlock::db {

class GuardRows {
public:
    /// `longest`: of the texts that the statement repeats.
    GuardRows(std::string_view sql, double longest) : sql_(sql), longest_(longest) {}

    /// "" or the class of attack that the statement is.
    std::string_view judge(const base::Json& statement);
    /// How many rows a series of constants has.
    static std::optional<double> series(std::string_view sql, const base::Json& arguments);

private:
    /// What a query or an item of FROM gives.
    struct Size {
        double rows = 1;     // made out of nothing
        int relations = 0;   // multiplied with each other
        double work = 1;     // rows made on the way, also those that an aggregate took in
        int small = 0;       // of the relations, those that hold some ten rows
        double kept = 1;     // how often its longest text holds what aggregates gathered
        bool series = false; // the only column tells the rows apart
    };
    struct Leaf {
        std::string alias;
        std::string relation; // or function
        Size size;
        std::size_t group = 0;          // leaves that conditions join are of one
        std::vector<std::string> names; // of its columns, where its alias says them
        bool matched = false;           // a series whose value each row of the others equals
    };
    struct From {
        std::vector<Leaf> leaves;
        std::vector<const base::Json*> conditions;
        std::set<std::pair<std::size_t, std::size_t>> halves; // compared, but not by equality
        double credit = 0;    // joins by columns that do not tell whose they are
        bool lenient = false; // any comparison joins
    };
    /// Whose columns an expression takes.
    struct Columns {
        std::set<std::size_t> leaves;
        int outer = 0; // of a query around this one
        int vague = 0; // written without a relation
        bool none() const { return leaves.empty() && outer == 0 && vague == 0; }
    };
    using Named = std::vector<std::pair<std::string, Size>>;

    Size query(const base::Json& select, Named named, int depth);
    Size chain(const base::Json& select, const Named& named, int depth);
    Size single(const base::Json& select, const Named& named, int depth);
    void open_with(const base::Json& with, Named& named, int depth);
    void step(const base::Json& cte, const std::string& name, const Named& named, int depth);
    From gather(const base::Json& select, const Named& named, int depth);
    void gather_item(const base::Json& item, From& from, const Named& named, int depth);
    Size inner_queries(const base::Json& value, const Named& named, int depth);
    Size function(const base::Json& call) const;
    Size grouped(const From& from, const base::Json& select, Size size) const;
    static bool is_series(const From& from, const base::Json& select);
    Size recursive_size(const base::Json& select) const;
    double keep(const Size& size);
    void refuse(std::string_view family) { found_ = found_.empty() ? family : found_; }

    static void merge(From& from, std::size_t first, std::size_t second);
    static Columns columns(const From& from, const base::Json* value);
    static void connect(From& from, const base::Json& condition);
    static void match(From& from, const base::Json* one, const base::Json* other);
    static void
    join(From& from, const Columns& first, const Columns& second, bool narrow, bool compared);
    static Size together(const From& from, const Leaf* but = nullptr);

    std::string_view sql_;
    double longest_;
    int queries_ = 0;
    std::string_view found_;
};

} // namespace interlock::db
