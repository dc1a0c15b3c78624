# What `cmake --install` installs, into a prefix that may be moved: the program, sample units for systemd (which name
# the prefix), the library, its headers, and the files by which CMake and pkg-config find it. A pinned libuv goes with
# it (deps/libuv.cmake). The components are runtime, development and libuv.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package_directory "${CMAKE_INSTALL_LIBDIR}/cmake/uvrelay")
set(generated "${PROJECT_BINARY_DIR}/package")

if(TARGET uvrelay)
  install(TARGETS uvrelay RUNTIME COMPONENT runtime)
  if(UNIX)
    # Sample units for users' systemd. The program's path is known only when it is installed: --prefix may be given then.
    install(CODE "
      set(uvrelay_program \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/uvrelay\")
      foreach(unit IN ITEMS uvrelay.service uvrelay-ssh-agent.service)
        configure_file(\"${PROJECT_SOURCE_DIR}/docs/systemd/\${unit}.in\" \"${generated}/\${unit}\" @ONLY)
      endforeach()" COMPONENT runtime)
    install(FILES "${generated}/uvrelay.service" "${generated}/uvrelay-ssh-agent.service"
            "${PROJECT_SOURCE_DIR}/docs/systemd/uvrelay-ssh-agent.socket"
      DESTINATION "${CMAKE_INSTALL_DATAROOTDIR}/uvrelay/systemd" COMPONENT runtime)
  endif()
endif()
install(TARGETS uvrelay_library EXPORT uvrelayTargets
  RUNTIME COMPONENT runtime
  LIBRARY COMPONENT runtime NAMELINK_COMPONENT development
  ARCHIVE COMPONENT development
  INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
if(libuv_origin STREQUAL "pinned" AND UNIX)
  set_target_properties(uvrelay_library PROPERTIES INSTALL_RPATH "\$ORIGIN") # libuv is beside it
endif()
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT development)
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DATAROOTDIR}/doc/uvrelay" COMPONENT runtime)

# For CMake. Of the targets by which libuv may be known, the kind that this build has comes first.
if(libuv_origin STREQUAL "pinned" AND NOT BUILD_SHARED_LIBS)
  set(libuv_names "uv_a libuv::uv_a uv libuv::uv")
  set(libuv_module libuv-static)
else()
  set(libuv_names "uv libuv::uv uv_a libuv::uv_a")
  set(libuv_module libuv)
endif()
configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/uvrelayConfig.cmake.in" "${generated}/uvrelayConfig.cmake"
  INSTALL_DESTINATION "${package_directory}" NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
if(PROJECT_VERSION_MAJOR EQUAL 0)
  set(compatibility SameMinorVersion)
else()
  set(compatibility SameMajorVersion)
endif()
write_basic_package_version_file("${generated}/uvrelayConfigVersion.cmake" COMPATIBILITY ${compatibility})
install(FILES "${generated}/uvrelayConfig.cmake" "${generated}/uvrelayConfigVersion.cmake"
  DESTINATION "${package_directory}" COMPONENT development)
install(EXPORT uvrelayTargets NAMESPACE uvrelay:: DESTINATION "${package_directory}" COMPONENT development)

# For pkg-config.
set(pc_prefix "${CMAKE_INSTALL_PREFIX}")
set(pc_libdir "${CMAKE_INSTALL_FULL_LIBDIR}")
set(pc_includedir "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
cmake_path(RELATIVE_PATH pc_prefix BASE_DIRECTORY "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig")
cmake_path(RELATIVE_PATH pc_libdir BASE_DIRECTORY "${CMAKE_INSTALL_PREFIX}")
cmake_path(RELATIVE_PATH pc_includedir BASE_DIRECTORY "${CMAKE_INSTALL_PREFIX}")
if(BUILD_SHARED_LIBS)
  set(pc_flags -DUVRELAY_SHARED)
  set(pc_libraries "")
else()
  set(pc_flags "")
  list(TRANSFORM system_libraries PREPEND -l OUTPUT_VARIABLE pc_libraries)
  list(JOIN pc_libraries " " pc_libraries)
endif()
configure_file("${CMAKE_CURRENT_LIST_DIR}/uvrelay.pc.in" "${generated}/uvrelay.pc" @ONLY)
install(FILES "${generated}/uvrelay.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig" COMPONENT development)
