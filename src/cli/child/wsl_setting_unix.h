/* Settings in files of lines KEY=VALUE, such as /etc/wsl.conf. A file that cannot be read has none. */
#ifndef UVR_CLI_CHILD_WSL_SETTING_UNIX_H
#define UVR_CLI_CHILD_WSL_SETTING_UNIX_H

enum { UVR_WSL_SETTING_SIZE = 256 };

/* Finds `key` in the file `name` of the directory `etc`, in the section if one is given; "" if it is not there. */
void uvr_wsl_setting(const char *etc, const char *name, const char *section, const char *key,
                     char value[UVR_WSL_SETTING_SIZE]);

#endif
