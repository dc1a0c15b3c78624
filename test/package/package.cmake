# The tests of the library as a package: package/*, embed/*, and build/*, which are builds of other kinds. They build in
# directories below that of this build; with the sanitizers there is only embed/static.
list(REMOVE_ITEM fixtures linux-program)
list(APPEND environment CC=${CMAKE_C_COMPILER} NM=${CMAKE_NM} OBJDUMP=${CMAKE_OBJDUMP})
if(UVRELAY_STATIC)
  # This is about the program; the library is for musl only, and tested as a package with the usual C library.
  foreach(name IN ITEMS hardening reproducible static)
    uvrelay_pytest(package/test_${name}.py)
  endforeach()
  set_tests_properties(package/test_reproducible PROPERTIES COST 200)
  return()
endif()
set(same_tools -S ${PROJECT_SOURCE_DIR} -G Ninja -D CMAKE_TOOLCHAIN_FILE=${CMAKE_TOOLCHAIN_FILE}
    -D CMAKE_C_COMPILER=${CMAKE_C_COMPILER} -D UVRELAY_DOWNLOADS=${UVRELAY_DOWNLOADS})

# A test that builds and runs something: uvrelay_build_test(<name> <script> <argument of the script>...).
function(uvrelay_build_test name script)
  add_test(NAME ${name} COMMAND sh -exc "${script}" ${ARGN})
  uvrelay_test_settings(${name} 600)
  set_tests_properties(${name} PROPERTIES PROCESSORS 4 COST 200)
endfunction()

function(uvrelay_embed_test kind)
  add_test(NAME embed/${kind} COMMAND sh ${PROJECT_SOURCE_DIR}/test/embed/run.sh --${kind} ${PROJECT_BINARY_DIR})
  uvrelay_test_settings(embed/${kind} 600)
  # Two must not build in one directory at the same time.
  set_tests_properties(embed/${kind} PROPERTIES PROCESSORS 3 COST 100 RESOURCE_LOCK build)
endfunction()

uvrelay_embed_test(static)
if(UVRELAY_SANITIZE)
  return()
endif()

# The kind of library that this build does not have; embed/run.sh builds it in the same place.
uvrelay_build_test(package/build-shared [[
  build=$0
  cmake -B "$build" "$@" -D BUILD_SHARED_LIBS=ON -D UVRELAY_TESTS=OFF -D UVRELAY_PROGRAM=OFF
  cmake --build "$build"]]
  ${PROJECT_BINARY_DIR}/embed/shared ${same_tools})
set_tests_properties(package/build-shared PROPERTIES FIXTURES_SETUP shared-library)
uvrelay_embed_test(shared)
set_property(TEST embed/shared APPEND PROPERTY FIXTURES_REQUIRED shared-library)

file(GLOB package_tests RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} CONFIGURE_DEPENDS package/test_*.py)
list(FILTER package_tests EXCLUDE REGEX "test_static")
if(WIN32)
  list(FILTER package_tests EXCLUDE REGEX "test_(docs|front_page|links|security|windows_truth|workflow)") # the same for both systems
endif()
foreach(file IN LISTS package_tests)
  uvrelay_pytest(${file})
endforeach()
if(NOT WIN32)
  set_tests_properties(package/test_docs PROPERTIES RESOURCE_LOCK build PROCESSORS 2 COST 200)
endif()
set_property(TEST package/test_symbols package/test_hardening APPEND PROPERTY FIXTURES_REQUIRED shared-library)
set_tests_properties(package/test_reproducible PROPERTIES COST 200)

# The oldest libuv that works: on Linux the system's, which is that on Debian 12; for Windows from source, for those
# tests that see most of it.
if(WIN32)
  set(names ${unit_tests})
  list(FILTER names INCLUDE REGEX "/test_(npipe|iocp_op|relay|stream_uv)")
  list(TRANSFORM names REPLACE ".*/(.*)[.]c$" "\\1")
  list(JOIN names " " names)
  uvrelay_build_test(build/oldest-libuv [[
    build=$0
    names=$1
    shift
    cmake -B "$build" "$@" -D UVRELAY_LIBUV_VERSION=1.44.2 -D CMAKE_BUILD_TYPE=Debug
    cmake --build "$build" --target $names
    printf '%s\n' $names | xargs -I NAME -P 6 $UVRELAY_RUN_EXE "$build/unit/NAME.exe"]]
    ${PROJECT_BINARY_DIR}/oldest-libuv "${names}" ${same_tools})
else()
  uvrelay_build_test(build/system-libuv [[
    build=$0
    cmake -B "$build" "$@" -D UVRELAY_SYSTEM_LIBUV=ON -D CMAKE_BUILD_TYPE=Debug
    cmake --build "$build"
    ldd "$build/uvrelay" | grep libuv
    "$build/uvrelay" --version
    ctest --test-dir "$build" --output-on-failure -j 6 -R '^unit/'
    sh "$2/test/embed/run.sh" "$build"]] # $2 follows -S
    ${PROJECT_BINARY_DIR}/system-libuv ${same_tools})
endif()
