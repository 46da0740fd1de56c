// What evidence tools share between the question and the judgement: sections, which are rows of the
// packet together with the statement that reads them, and thresholds.
#pragma once

#include "base/db/table.hpp"
#include "tools/evidence.hpp"
#include "tools/lane.hpp"
#include "tools/tool.hpp"

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::tools {

/// A statement as servers from one version on understand it.
struct Edition {
    int since = 0; // server_version_num: 170000
    db::Sql sql;
};

/// Rows of a packet and the statement behind them, declared once: schema, drift check, read, and
/// what is missing when it cannot be read.
struct Section {
    std::string_view name; // of the rows in the packet
    const std::vector<Column>& (*columns)() = nullptr;
    std::array<Edition, 5> editions = {}; // ascending; the newest that the server knows is sent
    std::string_view would_tell = {};     // what is lost without it
};
/// A tool's sections, in the order of its packet.
using Sections = std::span<const Section* const>;

/// The newest edition that a server knows; none: it has not got what the section is about.
const db::Sql* edition_for(const Section& section, int server_version);
NotExamined not_in_this_version(const Section& section, const db::ServerFacts& facts);

/// Output schema of a tool whose packet has these sections.
std::string packet_schema(Sections sections);
/// The statements of these sections, each with the versions that it is for.
std::vector<ToolStatement> statements_of(Sections sections, Sections more = {});

struct SectionRequest {
    const Section& section;
    std::vector<db::Cell> parameters = {};
    std::size_t rows_max = base::limits::tool_rows_max;
    /// Sent instead of the section's own, where that depends on more than the server's version.
    std::optional<db::Sql> sql = {};
};

/// Reads sections in one lane transaction into `evidence`: rows, source, and a gap for each that
/// failed, is cut, or is not known to a server this old. The tables, in the order of the requests,
/// are for judging; none: not read. An Error: nothing could be read at all.
base::Result<std::vector<std::optional<db::Table>>> read_sections(
    Context& context,
    const Call& call,
    const LaneRequest& request,
    const std::vector<SectionRequest>& sections,
    Evidence& evidence
);

/// The sections of a view: what it asks for is read in one transaction. The rest is left out of the
/// packet, which says so once: no rows would read as nothing found.
class ViewReader {
public:
    ViewReader(std::string view, Evidence& evidence);
    /// `place`: where the table goes that read() finds; it stays empty when it is not `asked` for.
    void want(bool asked, SectionRequest section, std::optional<db::Table>& place);
    base::Status read(Context& context, const Call& call, const LaneRequest& request);

private:
    std::string view_;
    Evidence& evidence_;
    std::vector<SectionRequest> wanted_;
    std::vector<std::optional<db::Table>*> places_;
    std::string left_out_;
};

/// From `warning` on, and from `critical` on, a value deserves that severity.
struct Threshold {
    double warning = 0;
    double critical = 0;
    /// The one that a value of this severity has passed.
    double passed(Severity severity) const {
        return severity == Severity::critical ? critical : warning;
    }
};

/// Severity of a value, or nothing below the warning.
std::optional<Severity> judge(double value, const Threshold& threshold);

} // namespace interlock::tools
