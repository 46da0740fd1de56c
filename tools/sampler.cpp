#include "tools/sampler.hpp"

#include "base/log.hpp"
#include "base/pause.hpp"

#include <algorithm>
#include <utility>

namespace interlock::tools {
namespace {

namespace limits = base::limits;

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

} // namespace

Sampler::Sampler(SamplerParts parts) : parts_{parts} {
    for (const std::string& target : parts_.targets.names()) {
        history_[target];
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
    const auto queries = counter_queries(all_counters(), connection.facts());
    INTERLOCK_TRY(const auto results, connection.read(settings, queries, loan->stop()));
    std::vector<NotExamined> gaps; // told by the tools that need what is missing
    const std::lock_guard lock(mutex_);
    auto& samples = history_[target];
    Sample sample = Sample::decode(
        all_counters(),
        connection.facts(),
        results,
        gaps,
        samples.empty() ? nullptr : &samples.back()
    );
    sample.at = parts_.clock.ticks();
    sample.taken = base::format_time(parts_.clock.now());
    samples.push_back(std::move(sample));
    while (samples.front().at + parts_.history < samples.back().at) {
        samples.pop_front();
    }
    return base::done;
}

std::optional<Sample>
Sampler::before(const std::string& target, const Sample& newer, base::Duration length) const {
    const auto distance = [&](const Sample& sample) {
        const auto off = newer.at - sample.at - base::Ticks::duration(length);
        return std::max(off, -off);
    };
    const std::lock_guard lock(mutex_);
    const auto samples = history_.find(target);
    if (samples == history_.end()) {
        return std::nullopt;
    }
    const Sample* nearest = nullptr;
    for (const Sample& sample : samples->second) {
        if (newer.at - sample.at >= limits::two_samples_apart && comparable(sample, newer) &&
            (nearest == nullptr || distance(sample) < distance(*nearest))) {
            nearest = &sample;
        }
    }
    return nearest == nullptr ? std::nullopt : std::optional{*nearest};
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
    return window;
}

} // namespace interlock::tools
