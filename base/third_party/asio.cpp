// Asio is header-only by default; this file is its one compiled copy.
#include <boost/asio/impl/src.hpp>
