import { Menu } from "@base-ui/react/menu";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useNavigate } from "react-router";
import { changeProfile } from "@/api/account";
import { signOut } from "@/api/session";
import { chooseLanguage, type Language, useLanguage, useTexts } from "@/i18n";
import { paths } from "@/paths";
import { userButtonClass, UserName } from "@/shell/UserButton";
import { chooseTheme, chosenTheme, type Theme } from "@/theme";
import { Dialog } from "@/ui/Dialog";
import { Problem } from "@/ui/Problem";

const itemClass =
  "flex min-h-9 cursor-default items-center rounded-control px-3 text-sm outline-none data-[highlighted]:bg-sunken";

const lineClass = "mx-3 my-1.5 h-px bg-line";

/** Who one is, and what belongs to that; it was asked for by then. */
export function UserMenu({ name, isOpen }: { name: string; isOpen: boolean }) {
  const t = useTexts("shell");
  const language = useLanguage();
  const navigate = useNavigate();
  const [theme, setTheme] = useState(chosenTheme);
  const leaving = useMutation({ mutationFn: () => signOut(() => navigate(paths.home())) });
  const themes: [Theme, string][] = [
    ["system", t("themeSystem")],
    ["light", t("themeLight")],
    ["dark", t("themeDark")],
  ];

  function choose(value: Theme): void {
    setTheme(value);
    chooseTheme(value);
  }

  /** Here and now, and for messages; where that cannot be kept, what is shown is still as it was chosen. */
  async function speak(chosen: Language): Promise<void> {
    await chooseLanguage(chosen);
    await changeProfile({ language: chosen }).catch(() => undefined);
  }

  return (
    <>
      <Menu.Root defaultOpen={isOpen}>
        <Menu.Trigger className={userButtonClass}>
          <UserName name={name} />
        </Menu.Trigger>
        <Menu.Portal>
          <Menu.Positioner sideOffset={6} align="end" className="z-40">
            <Menu.Popup className="min-w-52 rounded-card border border-line bg-raised p-1.5 shadow-raised">
              <Menu.Item className={itemClass} onClick={() => void navigate(paths.finance())}>
                {t("finance")}
              </Menu.Item>
              <Menu.Item className={itemClass} onClick={() => void navigate(paths.settings())}>
                {t("settings")}
              </Menu.Item>
              <Menu.Item className={itemClass} onClick={() => void speak(language === "zh" ? "en" : "zh")}>
                {language === "zh" ? "English" : "中文"}
              </Menu.Item>
              <Menu.Separator className={lineClass} />
              <Menu.Group>
                <Menu.GroupLabel className="px-3 pt-1.5 pb-1 text-xs text-faint">{t("theme")}</Menu.GroupLabel>
                <Menu.RadioGroup value={theme} onValueChange={choose} aria-label={t("theme")}>
                  {themes.map(([value, label]) => (
                    <Menu.RadioItem key={value} value={value} className={`${itemClass} justify-between`} closeOnClick={false}>
                      {label}
                      <Menu.RadioItemIndicator className="text-accent-ink">✓</Menu.RadioItemIndicator>
                    </Menu.RadioItem>
                  ))}
                </Menu.RadioGroup>
              </Menu.Group>
              <Menu.Separator className={lineClass} />
              <Menu.Item className={itemClass} onClick={() => leaving.mutate()}>
                {t("signOut")}
              </Menu.Item>
            </Menu.Popup>
          </Menu.Positioner>
        </Menu.Portal>
      </Menu.Root>
      <Dialog isOpen={leaving.isError} onClose={leaving.reset} title={t("signOutFailed")}>
        <Problem error={leaving.error} onRetry={() => leaving.mutate()} />
      </Dialog>
    </>
  );
}
