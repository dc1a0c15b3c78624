# The same source gives the same bytes, wherever it lies and whenever it is built, with the same tools:
# test/package/test_reproducible.py builds it twice. Included are libuv and whatever else is built here.
#
# MSVC: the times are left out, but whether the paths are has not been checked. See test/package for the others.
if(MSVC)
  add_compile_options(/Brepro)
  add_link_options(/Brepro)
  return()
endif()

# Paths get into the objects by assert. Of two that match, gcc takes the one that is given last. ccache may make paths
# relative.
file(RELATIVE_PATH relative_source "${PROJECT_BINARY_DIR}" "${PROJECT_SOURCE_DIR}")
string(REGEX REPLACE "/$" "" relative_source "${relative_source}")
if(relative_source)
  add_compile_options("-ffile-prefix-map=${relative_source}=uvrelay")
endif()
add_compile_options(
  "-ffile-prefix-map=${PROJECT_SOURCE_DIR}=uvrelay" "-ffile-prefix-map=${PROJECT_BINARY_DIR}=build")
# Zig's clang adds what a debugger needs without being asked, and that has paths, too.
if(WIN32 AND CMAKE_C_COMPILER_ID STREQUAL "Clang")
  add_compile_options($<$<CONFIG:Release>:-g0>)
endif()
# Archives have no times and no owners.
set(CMAKE_C_ARCHIVE_CREATE "<CMAKE_AR> qcD <TARGET> <LINK_FLAGS> <OBJECTS>")
set(CMAKE_C_ARCHIVE_APPEND "<CMAKE_AR> qD <TARGET> <LINK_FLAGS> <OBJECTS>")
set(CMAKE_C_ARCHIVE_FINISH "<CMAKE_RANLIB> -D <TARGET>")
if(WIN32)
  # Of the linkers, some write none anyway, and do not know the option.
  include(CheckLinkerFlag)
  check_linker_flag(C -Wl,--no-insert-timestamp UVRELAY_HAS_NO_INSERT_TIMESTAMP)
  if(UVRELAY_HAS_NO_INSERT_TIMESTAMP)
    add_link_options(-Wl,--no-insert-timestamp)
  endif()
endif()
