#include "tools/catalog.hpp"

namespace interlock::tools {

const std::vector<Tool>& catalog() {
    static const std::vector<Tool> tools{
        list_targets(),
        diagnose(),
        get_activity(),
        get_blocking(),
        explain_query(),
        get_tables(),
        get_indexes(),
        get_vacuum(),
    };
    return tools;
}

Input target_input() {
    return {
        .name = "target",
        .type = InputType::text,
        .about = "Name from list_targets; may be left out when there is only one.",
        .length_max = 63,
        .example = "main"};
}

} // namespace interlock::tools
