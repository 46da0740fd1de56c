#include "cli/audit_bundle_period.hpp"

#include "base/clock.hpp"

#include <utility>

namespace interlock::cli {

namespace {

class PeriodCheck {
public:
    PeriodCheck(const Period& period, const HeldRecords& held) : period_(period), held_(held) {}

    PeriodReport run() {
        look();
        return std::move(report_);
    }

private:
    void look() {
        for (const auto* time : {&period_.from, &period_.to}) {
            const auto parsed = base::parse_time(*time);
            if (!time->empty() && (!parsed || base::format_time(*parsed) != *time))
                return problem("The manifest's period is none, so nothing shows what is missing.");
        }
        for (const auto& [index, time] : held_.times) {
            if (!period_.holds(time))
                continue; // a witness, or of a plan whose story begins or ends outside
            if (!held_.whole.contains(index))
                problem(
                    "Record " + std::to_string(index) +
                    " is of the period, and only its header is in the bundle."
                );
            report_.first = report_.first.value_or(index);
            report_.last = index;
        }
        if (!report_.first)
            return problem("The bundle holds no record of the period.");
        check_inside();
        check_begin();
        check_end();
    }

    void check_inside() {
        auto last = *report_.first;
        for (auto at = held_.times.find(last); at != held_.times.end() && at->first <= report_.last;
             ++at) {
            if (at->first > last + 1)
                problem(
                    "Between the records " + std::to_string(last) + " and " +
                    std::to_string(at->first) + " of the period, " +
                    std::to_string(at->first - last - 1) + " are missing."
                );
            last = at->first;
        }
    }

    void check_begin() {
        const auto first = *report_.first;
        if (first == 0)
            return; // with the log
        if (period_.from.empty()) {
            for (std::uint64_t index = 0; index < first; ++index)
                if (!holds(index))
                    return problem(
                        "The period begins with the log, and of the records before " +
                        std::to_string(first) + " some are missing, the first of them " +
                        std::to_string(index) + "."
                    );
            return;
        }
        if (!holds(first - 1))
            return problem(
                "Nothing shows that the period begins with record " + std::to_string(first) +
                ": the record before it is not in the bundle, so the first ones may be missing."
            );
        if (held_.times.at(first - 1) >= period_.from)
            clock_went_back(first - 1);
    }

    void check_end() {
        const auto size = held_.log_size;
        if (period_.to.empty()) {
            for (auto index = report_.last + 1; index < size; ++index)
                if (!holds(index))
                    return problem(
                        "The period ends with the checkpoint, over " + std::to_string(size) +
                        " records, and of those after " + std::to_string(report_.last) +
                        " some are missing, the first of them " + std::to_string(index) + "."
                    );
            return;
        }
        if (report_.last + 1 >= size)
            return not_known(
                "The checkpoint ends within the period, with record " +
                std::to_string(report_.last) +
                ": whether more of the period was recorded after it cannot be known from this "
                "bundle. Export it again when a later record is signed."
            );
        if (!holds(report_.last + 1))
            return problem(
                "Nothing shows that the period ends with record " + std::to_string(report_.last) +
                ": the record after it is not in the bundle, so the last ones may be missing."
            );
        if (held_.times.at(report_.last + 1) < period_.to)
            clock_went_back(report_.last + 1);
    }

    void clock_went_back(std::uint64_t index) {
        not_known(
            "The time of record " + std::to_string(index) +
            ", beside the period, lies on its other side: a clock was set, so whether more records "
            "of the period stand beyond it cannot be known from this bundle."
        );
    }

    void problem(std::string sentence) { report_.problems.push_back(std::move(sentence)); }
    void not_known(std::string sentence) { report_.not_known.push_back(std::move(sentence)); }
    bool holds(std::uint64_t index) const { return held_.times.contains(index); }

    const Period& period_;
    const HeldRecords& held_;
    PeriodReport report_;
};

} // namespace

PeriodReport check_period(const Period& period, const HeldRecords& held) {
    return PeriodCheck(period, held).run();
}

} // namespace interlock::cli
