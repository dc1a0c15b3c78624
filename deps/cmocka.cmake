# cmocka, static, as the target `uvrelay_cmocka`; from source, so that the unit tests also run as Windows programs.
# Debian's archive is upstream's, byte for byte.

include("${CMAKE_CURRENT_LIST_DIR}/source.cmake")
uvrelay_source(cmocka
  "1.1.7 810570eb0b8d64804331f82b29ff47c790ce9cd6b163e98d47a4807047ecad82 https://cmocka.org/files/1.1/cmocka-1.1.7.tar.xz"
  "1.1.7 810570eb0b8d64804331f82b29ff47c790ce9cd6b163e98d47a4807047ecad82 debian:trixie/cmocka_1.1.7.orig.tar.xz")

block()
  set(CMAKE_C_EXTENSIONS ON)
  set(BUILD_SHARED_LIBS OFF)
  set(WITH_EXAMPLES OFF)
  set(UNIT_TESTING OFF)
  # What it tells CPack is for itself, not for those who build it.
  set(CPACK_OUTPUT_CONFIG_FILE "${PROJECT_BINARY_DIR}/cmocka/CPackConfig.cmake")
  set(CPACK_SOURCE_OUTPUT_CONFIG_FILE "${PROJECT_BINARY_DIR}/cmocka/CPackSourceConfig.cmake")
  set(CMAKE_DISABLE_FIND_PACKAGE_Doxygen ON) # it would have a target `docs`
  set(CMAKE_POLICY_DEFAULT_CMP0077 NEW) # such variables count for its options
  add_subdirectory("${cmocka_source}" "${PROJECT_BINARY_DIR}/cmocka" EXCLUDE_FROM_ALL SYSTEM)
endblock()
target_compile_options(cmocka PRIVATE -w)

add_library(uvrelay_cmocka INTERFACE)
target_link_libraries(uvrelay_cmocka INTERFACE cmocka)
