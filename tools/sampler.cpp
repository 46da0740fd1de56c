#include "tools/sampler.hpp"

#include "base/log.hpp"
#include "base/pause.hpp"
#include "tools/render.hpp"

#include <algorithm>
#include <utility>

namespace interlock::tools {
namespace {

namespace limits = base::limits;

// Sizes cost a look at the file system each, and grow slowly.
constexpr std::chrono::minutes sizes_interval{5};
// Rates of an hour from less than that would be a multiple of chance.
constexpr std::chrono::minutes sizes_window_min{1};

/// `sections` after the one that says whether samples can be compared.
std::vector<const Section*> with_server(Sections sections) {
    std::vector<const Section*> all{&server_counters};
    std::copy_if(
        sections.begin(),
        sections.end(),
        std::back_inserter(all),
        [](const Section* section) { return section != &server_counters; }
    );
    return all;
}

base::Result<Sample> read_sample(
    Context& context,
    const Call& call,
    const LaneRequest& request,
    Sections sections,
    Evidence& evidence,
    std::vector<NotExamined>& gaps
) {
    INTERLOCK_TRY(
        LaneRead read,
        read_lane(
            context,
            call,
            request,
            [&](const db::ServerFacts& facts) { return counter_queries(sections, facts); }
        )
    );
    Sample sample = Sample::decode(sections, read.facts, read.results, gaps);
    sample.at = context.clock.ticks();
    sample.taken = read.source.at;
    evidence.source = std::move(read.source);
    return sample;
}

/// A window that is shorter than what was asked for says so, and by how much.
void tell_shortfall(
    double seconds, std::chrono::seconds wanted, const std::string& what, Evidence& evidence
) {
    const double missing = static_cast<double>(wanted.count()) - seconds;
    // The nearest sample lies up to one interval off.
    if (missing > std::chrono::duration<double>(limits::sampler_interval).count()) {
        evidence.not_examined.push_back(
            {what + " over the last " + seconds_text(static_cast<double>(wanted.count())),
             "the history reaches " + seconds_text(seconds) + " back: " + seconds_text(missing) +
                 " are missing",
             "what was before"}
        );
    }
}

} // namespace

Sampler::Sampler(SamplerParts parts) : parts_{parts} {
    for (const std::string& target : parts_.targets.names()) {
        history_[target];
        sizes_[target];
    }
}

void Sampler::start() {
    const auto pause = std::chrono::ceil<std::chrono::milliseconds>(parts_.interval);
    for (const std::string& target : parts_.targets.names()) {
        threads_.emplace_back([this, target, pause](const std::stop_token& ended) {
            bool sampled = true;
            while (base::pause(ended, pause)) {
                const auto looked = look(target, ended);
                if (!looked && sampled && !ended.stop_requested()) {
                    base::log_warning(
                        "sampler.stopped", {{"target", target}, {"why", looked.error().what}}
                    );
                }
                sampled = looked.ok();
            }
        });
    }
}

base::Status Sampler::look(const std::string& target, const std::stop_token& stop) {
    INTERLOCK_TRY(const auto loan, parts_.targets.borrow(target, Lane::ordinary, stop));
    db::ReaderConnection& connection = loan->connection();
    db::LaneSettings settings;
    settings.application_name = "interlock:sampler";
    settings.statement_timeout = limits::sampler_statement_timeout;
    auto queries = counter_queries(all_counters(), connection.facts());
    const bool sizes = sizes_due(target);
    if (sizes) {
        queries.push_back(counter_queries(size_counters(), connection.facts()).back());
    }
    INTERLOCK_TRY(const auto results, connection.read(settings, queries, loan->stop()));
    std::vector<NotExamined> gaps; // told by the tools that need what is missing
    const std::lock_guard lock(mutex_);
    const auto& samples = history_[target];
    const auto decode = [&](Sections sections, const db::ReadResults& read, const Sample* known) {
        return Sample::decode(sections, connection.facts(), read, gaps, known);
    };
    if (sizes) { // beside the server's own, which is the first of all
        keep(sizes_, target, decode(size_counters(), {results.front(), results.back()}, nullptr));
    }
    const Sample* known = samples.empty() ? nullptr : &samples.back();
    keep(history_, target, decode(all_counters(), results, known));
    return base::done;
}

/// Now is the moment of a sample; the oldest go.
void Sampler::keep(History& history, const std::string& target, Sample sample) {
    sample.at = parts_.clock.ticks();
    sample.taken = base::format_time(parts_.clock.now());
    auto& samples = history[target];
    samples.push_back(std::move(sample));
    while (samples.front().at + parts_.history < samples.back().at) {
        samples.pop_front();
    }
}

bool Sampler::sizes_due(const std::string& target) const {
    const std::lock_guard lock(mutex_);
    const auto samples = sizes_.find(target);
    return samples == sizes_.end() || samples->second.empty() ||
           parts_.clock.ticks() - samples->second.back().at >= sizes_interval;
}

std::optional<Sample>
Sampler::before(const std::string& target, const Sample& newer, base::Duration length) const {
    return nearest(history_, target, newer, length);
}

std::optional<Sample>
Sampler::sizes_before(const std::string& target, const Sample& newer, base::Duration length) const {
    return nearest(sizes_, target, newer, length);
}

std::optional<Sample> Sampler::nearest(
    const History& history, const std::string& target, const Sample& newer, base::Duration length
) const {
    const auto distance = [&](const Sample& sample) {
        const auto off = newer.at - sample.at - base::Ticks::duration(length);
        return std::max(off, -off);
    };
    const std::lock_guard lock(mutex_);
    const auto samples = history.find(target);
    if (samples == history.end()) {
        return std::nullopt;
    }
    const Sample* found = nullptr;
    for (const Sample& sample : samples->second) {
        if (newer.at - sample.at >= limits::two_samples_apart && comparable(sample, newer) &&
            (found == nullptr || distance(sample) < distance(*found))) {
            found = &sample;
        }
    }
    return found == nullptr ? std::nullopt : std::optional{*found};
}

std::size_t Sampler::kept(const std::string& target) const {
    const std::lock_guard lock(mutex_);
    const auto samples = history_.find(target);
    return samples == history_.end() ? 0 : samples->second.size();
}

base::Result<Window> read_window(
    Context& context,
    const Call& call,
    const LaneRequest& request,
    Sections sections,
    std::chrono::seconds wanted,
    Evidence& evidence
) {
    const auto all = with_server(sections);
    Window window;
    INTERLOCK_TRY(
        window.newer, read_sample(context, call, request, all, evidence, evidence.not_examined)
    );
    if (context.sampler != nullptr) {
        if (auto older = context.sampler->before(request.target, window.newer, wanted)) {
            window.older = std::move(*older);
            window.history = true;
            tell_shortfall(window.seconds(), wanted, "rates", evidence);
            return window;
        }
    }
    window.older = std::move(window.newer);
    if (!base::pause(call.stop, limits::two_samples_apart)) {
        return base::Error{base::Errc::cancelled, "The caller gave up between two samples.", ""};
    }
    std::vector<NotExamined> told; // by the first sample
    INTERLOCK_TRY(window.newer, read_sample(context, call, request, all, evidence, told));
    if (!comparable(window.older, window.newer)) {
        return base::Error{
            base::Errc::conflict,
            "The server was started anew between two samples.",
            "Call again: its counters begin now."};
    }
    tell_shortfall(window.seconds(), wanted, "rates", evidence);
    return window;
}

base::Result<std::optional<Window>> read_sizes(
    Context& context,
    const Call& call,
    const LaneRequest& request,
    std::chrono::seconds wanted,
    Evidence& evidence
) {
    Window window;
    window.history = true;
    INTERLOCK_TRY(
        window.newer,
        read_sample(context, call, request, size_counters(), evidence, evidence.not_examined)
    );
    auto older = context.sampler == nullptr
                     ? std::nullopt
                     : context.sampler->sizes_before(request.target, window.newer, wanted);
    if (older) {
        window.older = std::move(*older);
    }
    const double seconds = older ? window.seconds() : 0;
    if (seconds >= std::chrono::duration<double>(sizes_window_min).count()) {
        tell_shortfall(seconds, wanted, "growth of tables", evidence);
        return std::optional{std::move(window)};
    }
    evidence.not_examined.push_back(
        {"growth of tables",
         context.sampler == nullptr
             ? "no history of sizes is kept here"
             : "the history of sizes reaches " + seconds_text(seconds) + " back, of " +
                   seconds_text(static_cast<double>(wanted.count())),
         std::string{table_counters.would_tell} + ": ask again in some minutes"}
    );
    return std::optional<Window>{};
}

} // namespace interlock::tools
