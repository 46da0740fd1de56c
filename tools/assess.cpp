#include "tools/assess.hpp"

#include "tools/render.hpp"
#include "tools/schema.hpp"

#include <utility>

namespace interlock::tools {
namespace {

/// "14" of 140000.
std::string major_of(int version) {
    return std::to_string(version / 10'000);
}

/// What is sent for a section; nothing: this server has not got what it is about.
std::optional<db::Sql> sql_for(const SectionRequest& wanted, const db::ServerFacts& facts) {
    if (wanted.sql) {
        return wanted.sql;
    }
    const db::Sql* sql = edition_for(wanted.section, facts.version_number);
    return sql == nullptr ? std::nullopt : std::optional{*sql};
}

std::vector<db::Query>
queries_for(const std::vector<SectionRequest>& sections, const db::ServerFacts& facts) {
    std::vector<db::Query> queries;
    for (const SectionRequest& wanted : sections) {
        if (const auto sql = sql_for(wanted, facts)) {
            queries.push_back(
                {.sql = *sql, .parameters = wanted.parameters, .rows_max = wanted.rows_max}
            );
        }
    }
    return queries;
}

/// The result's table; its rows or the gap it leaves go into the packet.
std::optional<db::Table>
take(const Section& section, base::Result<db::Rows>& result, Evidence& evidence) {
    if (!result) {
        evidence.not_examined.push_back(
            failed_check(std::string{section.name}, result.error(), std::string{section.would_tell})
        );
        return std::nullopt;
    }
    db::Table table = std::move(result->table);
    evidence.rows.back().cells = decode_rows(table, section.columns());
    if (result->cut) {
        evidence.not_examined.push_back(
            {std::string{section.name} + " beyond the first " + std::to_string(table.rows.size()),
             "limit: more than this call lists",
             std::string{section.would_tell}}
        );
    }
    return table;
}

/// Each edition ends where the next begins.
void add_statements(const Section& section, std::vector<ToolStatement>& statements) {
    ToolStatement* older = nullptr;
    for (const Edition& edition : section.editions) {
        if (edition.sql.text.empty()) {
            return;
        }
        if (older != nullptr) {
            older->version_max = edition.since - 1;
        }
        older = &statements.emplace_back(ToolStatement{
            .sql = edition.sql,
            .would_tell = section.would_tell,
            .columns = &section.columns(),
            .version_min = edition.since});
    }
}

} // namespace

const db::Sql* edition_for(const Section& section, int server_version) {
    const db::Sql* newest = nullptr;
    for (const Edition& edition : section.editions) {
        if (!edition.sql.text.empty() && edition.since <= server_version) {
            newest = &edition.sql;
        }
    }
    return newest;
}

NotExamined not_in_this_version(const Section& section, const db::ServerFacts& facts) {
    return {
        .what = std::string{section.name},
        .why = "not_supported: PostgreSQL has it from version " +
               major_of(section.editions.front().since) + " on; this one is " +
               major_of(facts.version_number),
        .would_tell = std::string{section.would_tell}};
}

std::string packet_schema(Sections sections) {
    std::vector<RowsShape> shapes;
    for (const Section* section : sections) {
        shapes.push_back({section->name, &section->columns()});
    }
    return packet_schema(shapes);
}

std::vector<ToolStatement> statements_of(Sections sections, Sections more) {
    std::vector<ToolStatement> statements;
    for (const Sections list : {sections, more}) {
        for (const Section* section : list) {
            add_statements(*section, statements);
        }
    }
    return statements;
}

base::Result<std::vector<std::optional<db::Table>>> read_sections(
    Context& context,
    const Call& call,
    const LaneRequest& request,
    const std::vector<SectionRequest>& sections,
    Evidence& evidence
) {
    INTERLOCK_TRY(
        LaneRead read,
        read_lane(
            context,
            call,
            request,
            [&](const db::ServerFacts& facts) { return queries_for(sections, facts); }
        )
    );
    std::vector<std::optional<db::Table>> tables;
    auto result = read.results.begin();
    for (const SectionRequest& wanted : sections) {
        evidence.rows.push_back(
            {.name = std::string{wanted.section.name},
             .columns = &wanted.section.columns(),
             .cells = {}}
        );
        if (!sql_for(wanted, read.facts)) {
            evidence.not_examined.push_back(not_in_this_version(wanted.section, read.facts));
            tables.emplace_back();
            continue;
        }
        tables.push_back(take(wanted.section, *result, evidence));
        ++result;
    }
    evidence.source = std::move(read.source);
    return tables;
}

ViewReader::ViewReader(std::string view, Evidence& evidence)
    : view_(std::move(view)), evidence_(evidence) {}

void ViewReader::want(bool asked, SectionRequest section, std::optional<db::Table>& place) {
    if (!asked) {
        left_out_ += (left_out_.empty() ? "" : ", ") + std::string{section.section.name};
        return;
    }
    wanted_.push_back(std::move(section));
    places_.push_back(&place);
}

base::Status ViewReader::read(Context& context, const Call& call, const LaneRequest& request) {
    INTERLOCK_TRY(auto tables, read_sections(context, call, request, wanted_, evidence_));
    for (std::size_t i = 0; i < places_.size(); ++i) {
        *places_[i] = std::move(tables[i]);
    }
    if (!left_out_.empty()) {
        evidence_.not_examined.push_back(
            {left_out_, "view " + view_ + " leaves it out", "what view attention tells of it"}
        );
    }
    return base::Done{};
}

std::optional<Severity> judge(double value, const Threshold& threshold) {
    if (value >= threshold.critical) {
        return Severity::critical;
    }
    return value >= threshold.warning ? std::optional{Severity::warning} : std::nullopt;
}

} // namespace interlock::tools
