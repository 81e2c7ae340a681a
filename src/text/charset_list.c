/* SPDX-License-Identifier: ISC */
/* The character sets that Facteur knows, and their names. Aliases are IANA's, and those that
 * mailers are seen to use. Sets that others are subsets of, in practice, stand for them: gb2312 is
 * read as gb18030, ks_c_5601-1987 as uhc, iso-8859-1 as windows-1252. */
#include "text/charset_list.h"

#include "text/charset_tables.h"

#define NAME(text) {(const uint8_t *)("" text), sizeof(text) - 1}
#define TABLE(text, octets, ...)                                                                   \
    {                                                                                              \
        .name = NAME(text), .kind = CHARSET_TABLE, .encode_first = 128, .table = octets,           \
        .aliases = __VA_ARGS__                                                                     \
    }
/* ISO 8859 has controls at 128 to 159: we never write them, and read there what Windows has. */
#define ISO_TABLE(text, octets, ...)                                                               \
    {                                                                                              \
        .name = NAME(text), .kind = CHARSET_TABLE, .encode_first = 160, .table = octets,           \
        .aliases = __VA_ARGS__                                                                     \
    }
#define ICONV(text, converter, ...) \
    {.name = NAME(text), .kind = CHARSET_ICONV, .iconv_name = converter, .aliases = __VA_ARGS__}

const struct charset charset_list[] = {
    {.name = NAME("us-ascii"),
     .kind = CHARSET_ASCII,
     .aliases = "usascii ascii ansix341968 ansix341986 iso646us iso646irv1991 isoir6 us ibm367 "
                "cp367 csascii 646 7bit"},
    {.name = NAME("utf-8"),
     .kind = CHARSET_UTF8,
     .aliases = "utf8 csutf8 unicode11utf8 unicode20utf8 utf8mb4 cp65001 windows65001"},
    ISO_TABLE(
        "iso-8859-1", cp1252,
        "iso88591 iso885911987 isoir100 latin1 l1 ibm819 cp819 csisolatin1 88591 isolatin1 8859"),
    TABLE("windows-1252", cp1252, "windows1252 cp1252 cswindows1252 1252 ansi win1252 ms1252"),
    ISO_TABLE("iso-8859-15", iso8859_15, "iso885915 latin9 latin0 csiso885915 885915"),
    ISO_TABLE("iso-8859-2", iso8859_2,
              "iso88592 iso885921987 isoir101 latin2 l2 csisolatin2 88592"),
    ISO_TABLE("iso-8859-3", iso8859_3, "iso88593 iso885931988 isoir109 latin3 l3 csisolatin3"),
    ISO_TABLE("iso-8859-4", iso8859_4, "iso88594 iso885941988 isoir110 latin4 l4 csisolatin4"),
    ISO_TABLE("iso-8859-5", iso8859_5,
              "iso88595 iso885951988 isoir144 cyrillic csisolatincyrillic"),
    ISO_TABLE("iso-8859-6", iso8859_6,
              "iso88596 iso885961987 isoir127 arabic asmo708 ecma114 csisolatinarabic iso88596i "
              "iso88596e"),
    ISO_TABLE("iso-8859-7", iso8859_7,
              "iso88597 iso885971987 isoir126 greek greek8 ecma118 elot928 csisolatingreek"),
    ISO_TABLE("iso-8859-8", iso8859_8,
              "iso88598 iso885981988 isoir138 hebrew csisolatinhebrew iso88598i iso88598e "
              "csiso88598i csiso88598e logical visual"),
    ISO_TABLE("iso-8859-9", cp1254, "iso88599 iso885991989 isoir148 latin5 l5 csisolatin5"),
    ISO_TABLE("iso-8859-10", iso8859_10, "iso885910 iso8859101992 isoir157 latin6 l6 csisolatin6"),
    ISO_TABLE("iso-8859-11", cp874, "iso885911 tis620 csiso885911 cstis620 iso8859112001"),
    ISO_TABLE("iso-8859-13", iso8859_13, "iso885913 latin7 csiso885913"),
    ISO_TABLE("iso-8859-14", iso8859_14,
              "iso885914 iso8859141998 isoir199 latin8 l8 isoceltic csiso885914"),
    ISO_TABLE("iso-8859-16", iso8859_16,
              "iso885916 iso8859162001 isoir226 latin10 l10 csiso885916"),
    TABLE("windows-874", cp874, "windows874 cp874 ibm874 cswindows874"),
    TABLE("windows-1250", cp1250, "windows1250 cp1250 cswindows1250 win1250 1250"),
    TABLE("windows-1251", cp1251, "windows1251 cp1251 cswindows1251 win1251 1251"),
    TABLE("windows-1253", cp1253, "windows1253 cp1253 cswindows1253"),
    TABLE("windows-1254", cp1254, "windows1254 cp1254 cswindows1254"),
    TABLE("windows-1255", cp1255, "windows1255 cp1255 cswindows1255"),
    TABLE("windows-1256", cp1256, "windows1256 cp1256 cswindows1256"),
    TABLE("windows-1257", cp1257, "windows1257 cp1257 cswindows1257"),
    TABLE("windows-1258", cp1258, "windows1258 cp1258 cswindows1258"),
    TABLE("koi8-r", koi8_r, "koi8r koi8 koi cskoi8r"),
    TABLE("koi8-u", koi8_u, "koi8u koi8ru cskoi8u"),
    TABLE("koi8-t", koi8_t, "koi8t"),
    TABLE("ptcp154", ptcp154, "ptcp154 csptcp154 pt154 cp154 cyrillicasian"),
    TABLE("macintosh", mac_roman, "macintosh mac macroman csmacintosh"),
    TABLE("x-mac-cyrillic", mac_cyrillic, "maccyrillic macukrainian"),
    TABLE("x-mac-greek", mac_greek, "macgreek"),
    TABLE("x-mac-ce", mac_latin2, "macce maclatin2 maccentraleurope"),
    TABLE("x-mac-turkish", mac_turkish, "macturkish"),
    TABLE("hp-roman8", hp_roman8, "hproman8 roman8 r8 cshproman8"),
    TABLE("ibm437", cp437, "ibm437 cp437 437 cspc8codepage437 dos437"),
    TABLE("ibm737", cp737, "ibm737 cp737"),
    TABLE("ibm775", cp775, "ibm775 cp775 cspc775baltic"),
    TABLE("ibm850", cp850, "ibm850 cp850 850 cspc850multilingual dos850"),
    TABLE("ibm852", cp852, "ibm852 cp852 852 cspcp852"),
    TABLE("ibm855", cp855, "ibm855 cp855 855 csibm855"),
    TABLE("ibm857", cp857, "ibm857 cp857 857 csibm857"),
    TABLE("ibm858", cp858, "ibm858 cp858 ibm00858 ccsid00858 cp00858 csibm00858"),
    TABLE("ibm860", cp860, "ibm860 cp860 860 csibm860"),
    TABLE("ibm861", cp861, "ibm861 cp861 861 cpis csibm861"),
    TABLE("ibm862", cp862, "ibm862 cp862 862 cspc862latinhebrew"),
    TABLE("ibm863", cp863, "ibm863 cp863 863 csibm863"),
    TABLE("ibm864", cp864, "ibm864 cp864 csibm864"),
    TABLE("ibm865", cp865, "ibm865 cp865 865 csibm865"),
    TABLE("ibm866", cp866, "ibm866 cp866 866 csibm866 dos866"),
    TABLE("ibm869", cp869, "ibm869 cp869 869 cpgr csibm869"),
    TABLE("cp1125", cp1125, "cp1125 ibm1125 ruscii 1125"),
    ICONV("gb18030", "GB18030",
          "gb18030 csgb18030 gb2312 gb231280 csgb2312 gb23121980 euccn gbk cp936 ms936 windows936 "
          "csgbk isoir58 chinese csiso58gb231280"),
    ICONV("big5", "CP950", "big5 csbig5 big5tw cnbig5 cp950 windows950 ms950 bigfive"),
    ICONV("big5-hkscs", "BIG5-HKSCS", "big5hkscs csbig5hkscs big5hk"),
    ICONV("euc-tw", "EUC-TW", "euctw"),
    ICONV("shift_jis", "CP932",
          "shiftjis csshiftjis sjis mskanji ms932 cp932 windows31j cswindows31j windows932 cp943 "
          "ibm943"),
    ICONV("euc-jp", "EUC-JP-MS",
          "eucjp cseucpkdfmtjapanese eucjpms ujis extendedunixcodepackedformatforjapanese cp51932"),
    ICONV("iso-2022-jp", "ISO-2022-JP-2",
          "iso2022jp csiso2022jp jis iso2022jp1 iso2022jp2 csiso2022jp2 cp50220 cp50221 cp50222 "
          "csiso2022jpms iso2022jpms"),
    ICONV("euc-kr", "UHC",
          "euckr cseuckr ksc56011987 ksc56011989 ksc5601 csksc56011987 korean isoir149 uhc cp949 "
          "windows949 ms949 ksx1001"),
    ICONV("johab", "JOHAB", "johab cp1361"),
    ICONV("iso-2022-kr", "ISO-2022-KR", "iso2022kr csiso2022kr"),
    ICONV("viscii", "VISCII", "viscii csviscii viscii111"),
    ICONV("utf-7", "UTF-7", "utf7 csutf7 unicode11utf7 csunicode11utf7 cp65000"),
    ICONV("utf-16be", "UTF-16BE", "utf16be csutf16be unicodefffe"),
    ICONV("utf-16le", "UTF-16LE", "utf16le csutf16le"),
    ICONV("utf-32be", "UTF-32BE", "utf32be csutf32be"),
    ICONV("utf-32le", "UTF-32LE", "utf32le csutf32le"),
    {.name = NAME("utf-16"),
     .kind = CHARSET_UTF16,
     .aliases = "utf16 csutf16 unicode ucs2 iso10646ucs2 csunicode"},
    {.name = NAME("utf-32"),
     .kind = CHARSET_UTF32,
     .aliases = "utf32 csutf32 ucs4 iso10646ucs4 csucs4"},
};
const size_t charset_list_count = COUNT_OF(charset_list);
