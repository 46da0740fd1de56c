// What a server counts, at one moment, and what became of it between two moments. Counters say
// nothing by themselves; the tools show rates over a stated window.
#pragma once

#include "base/clock.hpp"
#include "base/db/reader_connection.hpp"
#include "tools/assess.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace interlock::tools {

/// The views of counters. In each row `object` says whose the counters are; `stats_reset` since
/// when they count, in seconds since 1970. Names follow the newest version that has them.
extern const Section server_counters;   // when it started, where its WAL stands
extern const Section database_counters; // each database; "" is what no database owns
extern const Section wal_counters;
extern const Section checkpoint_counters; // checkpointer and background writer
extern const Section archiver_counters;
extern const Section slru_counters;
extern const Section io_counters; // backend type/object/context, from version 16 on
/// Sizes and rows of the largest tables and of those that get most rows. Its rows are no counters:
/// a table may shrink.
extern const Section table_counters;
/// All of them but that: what the sampler keeps of every moment.
Sections all_counters();
/// table_counters, and server_counters to compare by: what the sampler keeps now and then.
Sections size_counters();

/// A statement for each section that the server knows, in their order.
std::vector<db::Query> counter_queries(Sections sections, const db::ServerFacts& facts);

struct CounterName {
    std::string view;
    std::string object;
    std::string counter;
    friend bool operator==(const CounterName&, const CounterName&) = default;
    friend bool operator<(const CounterName& left, const CounterName& right) {
        return std::tie(left.view, left.object, left.counter) <
               std::tie(right.view, right.object, right.counter);
    }
};

/// Counters of one moment.
class Sample {
public:
    base::Ticks at{};
    std::string taken; // RFC 3339

    /// From the results of counter_queries(); what failed leaves a gap. `known` is an earlier
    /// sample, whose names are shared where they are the same.
    static Sample decode(
        Sections sections,
        const db::ServerFacts& facts,
        const db::ReadResults& results,
        std::vector<NotExamined>& gaps,
        const Sample* known = nullptr
    );
    /// None: not counted here.
    std::optional<double>
    value(std::string_view view, std::string_view object, std::string_view counter) const;
    std::vector<std::string> objects(std::string_view view) const;
    std::size_t size() const { return values_.size(); }

private:
    std::shared_ptr<const std::vector<CounterName>> names_; // sorted
    std::vector<double> values_;                            // not a number: null
};

/// Whether both are of one run of one server: only then can they be compared.
bool comparable(const Sample& older, const Sample& newer);

/// Two moments of one server.
struct Window {
    Sample older;
    Sample newer;
    bool history = false; // the older one is the sampler's

    double seconds() const;
    /// How much was counted in between. None: not counted here, or begun anew in between.
    std::optional<double>
    grown(std::string_view view, std::string_view object, std::string_view counter) const;
    std::optional<double>
    per_second(std::string_view view, std::string_view object, std::string_view counter) const;
    /// Over all objects of a view.
    std::optional<double> grown_in_all(std::string_view view, std::string_view counter) const;
    /// "60 s up to now, from the sampler's history".
    std::string text() const;
};

} // namespace interlock::tools
