/* Does with an INF, through setupapi, what its arguments say, and prints what came of it:
 *
 *     NAME    a section's lines, tokens replaced
 *     +NAME   the registry values that an install section adds
 *     !NAME   the service that an install section installs, and whether its file arrived
 *     -NAME   the same after its service is removed
 *
 * Exit code 1, and one line, where setupapi refuses. */
#include <stdio.h>

#include <windows.h>

#include <setupapi.h>

#define SCRATCH "Software\\mslso-wine-check"
#define SERVICE "System\\CurrentControlSet\\Services\\mslso"
#define INSTALLED "C:\\windows\\system32\\drivers\\mslso.sys"

static int refused(const char *what, const char *which)
{
    fprintf(stderr, "setupapi: %s %s: error 0x%lx\n", what, which, GetLastError());
    return 1;
}

static int print_class(const char *file)
{
    GUID guid;
    char name[64];
    if (!SetupDiGetINFClassA(file, &guid, name, sizeof name, NULL))
        return refused("no class in", file);
    printf("class %s %08lX\n", name, guid.Data1);
    return 0;
}

static int print_lines(HINF inf, const char *section)
{
    LONG count = SetupGetLineCountA(inf, section);
    if (count < 0)
        return refused("no section", section);
    for (LONG index = 0; index < count; index++) {
        INFCONTEXT line;
        char field[1024];
        SetupGetLineByIndexA(inf, section, index, &line);
        printf("[%s]", section);
        for (DWORD at = 0; at <= SetupGetFieldCount(&line); at++)
            if (SetupGetStringFieldA(&line, at, field, sizeof field, NULL))
                printf(at == 0 ? " %s =" : at == 1 ? " %s" : ", %s", field);
        putchar('\n');
    }
    return 0;
}

static void print_value(const char *path, const char *name, DWORD type, const BYTE *data)
{
    printf("%s\\%s", path, name);
    if (type == REG_DWORD)
        printf(" dword %lu\n", *(const DWORD *)data);
    else if (type == REG_SZ)
        printf(" string %s\n", (const char *)data);
    else if (type == REG_MULTI_SZ) {
        printf(" strings");
        for (const char *text = (const char *)data; *text; text += strlen(text) + 1)
            printf(" %s", text);
        putchar('\n');
    } else
        printf(" type %lu\n", type);
}

static void print_key(HKEY root, const char *key, const char *path)
{
    HKEY open;
    if (RegOpenKeyExA(root, key, 0, KEY_READ, &open)) {
        printf("%s is not there\n", path);
        return;
    }
    char name[256];
    for (DWORD index = 0;; index++) {
        BYTE data[1024] __attribute__((aligned(4))) = {0};
        DWORD length = sizeof name, size = sizeof data - 2, type;
        if (RegEnumValueA(open, index, name, &length, NULL, &type, data, &size))
            break;
        print_value(path, name, type, data);
    }
    for (DWORD index = 0, length; length = sizeof name,
               !RegEnumKeyExA(open, index, name, &length, NULL, NULL, NULL, NULL); index++) {
        char below[512];
        snprintf(below, sizeof below, "%s\\%s", path, name);
        print_key(open, name, below);
    }
    RegCloseKey(open);
}

static int add_registry(HINF inf, const char *section)
{
    HKEY key;
    RegDeleteTreeA(HKEY_CURRENT_USER, SCRATCH);
    RegCreateKeyA(HKEY_CURRENT_USER, SCRATCH, &key);
    BOOL done = SetupInstallFromInfSectionA(NULL, inf, section, SPINST_REGISTRY, key, NULL, 0, NULL,
                                            NULL, NULL, NULL);
    RegCloseKey(key);
    if (!done)
        return refused("cannot add the registry values of", section);
    print_key(HKEY_CURRENT_USER, SCRATCH, section);
    return 0;
}

static void print_installed(void)
{
    print_key(HKEY_LOCAL_MACHINE, SERVICE, "service");
    printf("the file is %sthere\n", GetFileAttributesA(INSTALLED) == INVALID_FILE_ATTRIBUTES ? "not " : "");
}

/* Carries out the service directives of NAME and EXTENSION. */
static int services(HINF inf, const char *name, const char *extension)
{
    char section[128];
    snprintf(section, sizeof section, "%s%s", name, extension);
    if (!SetupInstallServicesFromInfSectionA(inf, section, 0))
        return refused("cannot carry out", section);
    print_installed();
    return 0;
}

/* Answers what setupapi asks while it copies: its own answers to errors are dialogues. */
static UINT CALLBACK answer(void *context, UINT question, UINT_PTR first, UINT_PTR second)
{
    (void)context, (void)second;
    if (question == SPFILENOTIFY_NEEDMEDIA) {
        const SOURCE_MEDIA_A *media = (const SOURCE_MEDIA_A *)first;
        char file[2 * MAX_PATH];
        snprintf(file, sizeof file, "%s\\%s", media->SourcePath, media->SourceFile);
        return GetFileAttributesA(file) == INVALID_FILE_ATTRIBUTES ? FILEOP_ABORT : FILEOP_DOIT;
    }
    return question == SPFILENOTIFY_COPYERROR ? FILEOP_ABORT : FILEOP_DOIT;
}

static int install(HINF inf, const char *section, const char *folder)
{
    DeleteFileA(INSTALLED);
    BOOL done = SetupInstallFromInfSectionA(NULL, inf, section, SPINST_FILES, NULL, folder, 0,
                                            (PSP_FILE_CALLBACK_A)answer, NULL, NULL, NULL);
    return done ? services(inf, section, ".Services") : refused("cannot copy the files of", section);
}

static int act(HINF inf, const char *argument, const char *folder)
{
    switch (*argument) {
    case '+':
        return add_registry(inf, argument + 1);
    case '!':
        return install(inf, argument + 1, folder);
    case '-':
        return services(inf, argument + 1, ".Remove.Services");
    default:
        return print_lines(inf, argument);
    }
}

int main(int count, char **arguments)
{
    char file[MAX_PATH], folder[MAX_PATH];
    UINT line = 0;
    if (count < 2 || !GetFullPathNameA(arguments[1], sizeof file, file, NULL))
        return refused("no file", "named");
    strcpy(folder, file);
    *strrchr(folder, '\\') = 0;
    HINF inf = SetupOpenInfFileA(file, NULL, INF_STYLE_WIN4, &line);
    if (inf == INVALID_HANDLE_VALUE) {
        fprintf(stderr, "setupapi: line %u: error 0x%lx\n", line, GetLastError());
        return 1;
    }
    int result = print_class(file);
    for (int at = 2; at < count && !result; at++)
        result = act(inf, arguments[at], folder);
    SetupCloseInfFile(inf);
    return result;
}
