// Where programs keep their spans: a rotating file of OTLP JSON lines, so that nothing needs a
// collector, and a collector besides where one is configured.
#pragma once

#include "base/result.hpp"
#include "telemetry/otlp_exporter.hpp"
#include "telemetry/otlp_settings.hpp"
#include "telemetry/span.hpp"

#include <memory>
#include <string>

namespace interlock::telemetry {

struct FileSpanOptions {
    std::size_t file_bytes_max = base::limits::span_file_bytes_max;
    int files_kept = base::limits::span_files_kept; // with the one being written
    Metrics* metrics = nullptr;                     // told of drops when given
    Resource resource = {};                         // empty: of the file's name
    std::unique_ptr<OtlpExporter> exporter = nullptr;
    std::size_t chunk_max = base::limits::span_batch_max; // spans in a line
};
/// Appends OTLP JSON lines to `directory`/<name>.jsonl on a thread of its own and rotates by size:
/// <name>.1.jsonl is the newest that is full. Several processes may share the file. Each span is
/// rendered once, for the file and for the exporter.
std::unique_ptr<SpanSink> make_file_span_sink(
    const std::string& directory, const std::string& name, FileSpanOptions options = {}
);

/// What a program uses: the file in `directory`, and the collector of `settings`. Neither when
/// they say that nothing is to be kept.
std::unique_ptr<SpanSink> make_span_sink(
    const std::string& directory,
    const std::string& program,
    OtlpSettings settings,
    base::Clock& clock,
    base::Random& random,
    Metrics* metrics
);

} // namespace interlock::telemetry
