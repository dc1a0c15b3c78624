# Run by cpack to pack what is staged into a .tar.gz or a .zip: files in the order of their names, of no particular owner, all
# of the time in SOURCE_DATE_EPOCH, so that the same files make the same archive.
include("${CMAKE_CURRENT_LIST_DIR}/stage.cmake")
set(epoch "$ENV{SOURCE_DATE_EPOCH}")
set(staged "${CPACK_TEMPORARY_DIRECTORY}")
set(name "${CPACK_PACKAGE_FILE_NAME}")
set(LC_ALL "$ENV{LC_ALL}")
set(ENV{LC_ALL} C)
if(CPACK_UVRELAY_KIND STREQUAL "tar")
  set(archive "${CPACK_TOPLEVEL_DIRECTORY}/${name}.tar.gz")
  execute_process(COMMAND tar -c --sort=name --format=gnu --owner=0 --group=0 --numeric-owner "--mtime=@${epoch}"
      --transform=flags=r\;s,^[.],${name}, -C "${staged}" .
    COMMAND gzip -9n OUTPUT_FILE "${archive}" COMMAND_ERROR_IS_FATAL ANY)
else()
  # Without a directory of its own at its top: Explorer extracts each archive into a folder that has its name.
  set(archive "${CPACK_TOPLEVEL_DIRECTORY}/${name}.zip")
  file(REMOVE "${archive}")
  file(GLOB_RECURSE files RELATIVE "${staged}" "${staged}/*")
  list(SORT files)
  list(TRANSFORM files PREPEND "${staged}/" OUTPUT_VARIABLE paths)
  set(ENV{TZ} UTC0)
  execute_process(COMMAND touch -d "@${epoch}" ${paths} COMMAND_ERROR_IS_FATAL ANY)
  list(JOIN files "\n" list)
  file(WRITE "${staged}.list" "${list}\n")
  execute_process(COMMAND zip -9 -q -X -D "${archive}" -@ INPUT_FILE "${staged}.list" WORKING_DIRECTORY "${staged}"
    COMMAND_ERROR_IS_FATAL ANY)
endif()
set(ENV{LC_ALL} "${LC_ALL}")
set(CPACK_EXTERNAL_BUILT_PACKAGES "${archive}")
